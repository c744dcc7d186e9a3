"""The CRMs that the contract is tried on."""
