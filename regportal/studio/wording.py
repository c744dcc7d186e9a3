"""What Flask-Security says, in our words; translated where it is shown."""

from collections.abc import Mapping

from regportal.store.words import N_

WORDS: Mapping[str, tuple[str, str]] = {
    "GENERIC_AUTHN_FAILED": (N_("Address and password do not belong together."), "error"),
    "EMAIL_NOT_PROVIDED": (N_("Please give your address."), "error"),
    "INVALID_EMAIL_ADDRESS": (N_("Please give an e-mail address."), "error"),
    "PASSWORD_NOT_PROVIDED": (N_("Please give your password."), "error"),
    "PASSWORD_INVALID_LENGTH": (N_("Please take at least 12 characters."), "error"),
    "PASSWORD_IS_THE_SAME": (N_("Please take another one than before."), "error"),
    "RETYPE_PASSWORD_MISMATCH": (N_("The two are not the same."), "error"),
    "INVALID_PASSWORD": (N_("This is not your password."), "error"),
    "PASSWORD_CHANGE": (
        N_("Your password is changed. Wherever else you were signed in, you are not any more."),
        "success",
    ),
    "UNAUTHENTICATED": (N_("Please sign in."), "info"),
    "REAUTHENTICATION_REQUIRED": (N_("Please prove once more that it is you."), "info"),
    "REAUTHENTICATION_SUCCESSFUL": (N_("Thank you."), "success"),
    "TWO_FACTOR_INVALID_TOKEN": (N_("This is not the code of this moment."), "error"),
    "TWO_FACTOR_LOGIN_SUCCESSFUL": (N_("Welcome."), "success"),
    "TWO_FACTOR_CHANGE_METHOD_SUCCESSFUL": (
        N_("From now on a code is asked after your password. Now make recovery codes."),
        "success",
    ),
    "TWO_FACTOR_DISABLED": (N_("No code is asked any more."), "success"),
    "TWO_FACTOR_PERMISSION_DENIED": (N_("Please sign in."), "info"),
    "TWO_FACTOR_METHOD_NOT_AVAILABLE": (N_("Please choose one of these."), "error"),
    "TWO_FACTOR_SETUP_EXPIRED": (N_("That took too long. Please begin anew."), "error"),
    "INVALID_RECOVERY_CODE": (N_("This is none of your codes, or it was used."), "error"),
    "API_ERROR": (N_("This cannot be read. Please begin anew."), "error"),
    "WEBAUTHN_EXPIRED": (N_("That took too long. Please begin anew."), "error"),
    "WEBAUTHN_NAME_REQUIRED": (N_("Please give it a name."), "error"),
    "WEBAUTHN_NAME_INUSE": (N_("You have one of this name."), "error"),
    "WEBAUTHN_NAME_NOT_FOUND": (N_("You have none of this name."), "error"),
    "WEBAUTHN_NAME_DISALLOWED_CHARACTERS": (
        N_("Please use letters, digits, spaces and hyphens."),
        "error",
    ),
    "INVALID_INPUT": (N_("Please use letters, digits, spaces and hyphens."), "error"),
    "INVALID_INPUT_LENGTH": (N_("Please take a shorter name."), "error"),
    "WEBAUTHN_CREDENTIAL_DELETED": (N_("The passkey opens nothing any more."), "success"),
    "WEBAUTHN_REGISTER_SUCCESSFUL": (N_("From now on you may sign in with it."), "success"),
    "WEBAUTHN_CREDENTIAL_ID_INUSE": (N_("This passkey is known already."), "error"),
    "WEBAUTHN_UNKNOWN_CREDENTIAL_ID": (N_("This passkey opens nothing here."), "error"),
    "WEBAUTHN_ORPHAN_CREDENTIAL_ID": (N_("This passkey opens nothing here."), "error"),
    "WEBAUTHN_NO_VERIFY": (N_("This passkey could not be checked."), "error"),
    "WEBAUTHN_CREDENTIAL_WRONG_USAGE": (N_("This passkey opens nothing here."), "error"),
    "WEBAUTHN_MISMATCH_USER_HANDLE": (N_("This passkey is somebody else's."), "error"),
}
"""By its own name for each, with the kind of message."""
