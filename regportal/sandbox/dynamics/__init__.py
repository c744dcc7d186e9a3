"""Microsoft Dynamics 365 Sales, as far as its Web API is documented: Dataverse with state."""

from regportal.sandbox.dynamics.crm import Dynamics

__all__ = ["Dynamics"]
