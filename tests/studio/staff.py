"""People of the company in a test, and the browsers in which they work."""

import html
import re
from datetime import UTC, datetime

import sqlalchemy as sa
from flask_security import hash_password
from passlib.totp import TOTP

from regportal.accounts.actions import invite, set_active
from regportal.accounts.audit import COMMAND
from regportal.accounts.models import Audit, StudioSession, StudioUser
from regportal.accounts.roles import Role
from tests.portal import FIREFOX, ORIGIN

PASSWORD = "a horse, a battery, a staple"
TOKEN = re.compile(r'name="csrf_token" value="([^"]*)"')
ERROR = re.compile(r'data-rp="error"\s+data-field="([^"]+)"[^>]*>([^<]*)')
HASHED: dict[str, str] = {}
"""The hash of :data:`PASSWORD`, by the salt of an installation: it takes its time by design."""


class Answer:
    """An answer of the Studio, as a test reads it."""

    def __init__(self, response):
        self.status, self.headers = response.status_code, response.headers
        self.text = response.get_data().decode()
        response.close()

    @property
    def leads_to(self):
        """Where it leads."""
        return self.headers.get("Location")

    @property
    def errors(self):
        """What is said beside which field."""
        return {field: html.unescape(says).strip() for field, says in ERROR.findall(self.text)}

    @property
    def title(self):
        """What the page is called."""
        return html.unescape(re.search(r"<h1>([^<]*)", self.text)[1])

    @property
    def token(self):
        """What binds the forms of this page to its session."""
        found = TOKEN.search(self.text)
        return html.unescape(found[1]) if found else ""


class Desk:
    """A browser in which somebody of the company works, or tries to."""

    def __init__(self, portal, agent=FIREFOX, **environ):
        self.client = portal.app.test_client()
        self.agent, self.environ, self.token = agent, environ, ""

    def get(self, path, **headers):
        """Open a page below /studio."""
        return self._kept(
            self.client.get(
                f"/studio{path}",
                headers={"User-Agent": self.agent, "Sec-Fetch-Site": "same-origin", **headers},
                base_url=ORIGIN,
                environ_overrides=self.environ,
            )
        )

    def take(self, path):
        """Take a file along; return its bytes."""
        response = self.client.get(f"/studio{path}", base_url=ORIGIN)
        content = response.get_data()
        response.close()
        assert response.status_code == 200
        return content

    def post(self, path, fields=None, *, token=None, **headers):
        """Send a form with the token of the page that was opened last."""
        sent = {"csrf_token": self.token if token is None else token, **(fields or {})}
        ours = {"User-Agent": self.agent, "Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}
        return self._kept(
            self.client.post(
                f"/studio{path}",
                data=sent,
                headers={**ours, **headers},
                base_url=ORIGIN,
                environ_overrides=self.environ,
            )
        )

    def sign_in(self, email, password=PASSWORD, **fields):
        """Sign in with a password; return the answer."""
        self.get("/login")
        answer = self.post("/login", {"email": email, "password": password, **fields})
        if answer.status == 302:
            self.get("/account")
        return answer

    def cookie(self, name="rp_admin"):
        """Return what the browser keeps under a name."""
        found = self.client.get_cookie(name, domain="localhost")
        return found.value if found else None

    def _kept(self, response):
        answer = Answer(response)
        self.token = answer.token or self.token
        return answer


class Company:
    """The people of one installation."""

    def __init__(self, portal):
        self.portal, self.store = portal, portal.store
        self.studio = portal.app.extensions["regportal.studio"].studio

    def hire(self, email, *roles, name="Ann Example"):
        """Let somebody come in by :data:`PASSWORD`; return her key."""
        now = datetime.now(UTC)
        salt = self.studio.config["SECURITY_PASSWORD_SALT"]
        if salt not in HASHED:
            with self.studio.app_context():
                HASHED[salt] = hash_password(PASSWORD)
        hashed = HASHED[salt]

        def come(session):
            user = invite(session, email, name, [Role(one) for one in roles], doer=COMMAND, now=now)
            user.password, user.password_set_at = hashed, now
            return user.id

        return self.store.write(come)

    def at_desk(self, email, *roles, **how):
        """Hire somebody and sign her in; return her browser."""
        self.hire(email, *roles, **how)
        desk = Desk(self.portal)
        assert desk.sign_in(email).status == 302
        return desk

    def disable(self, email):
        """Let somebody in no more."""
        user, now = self.user(email), datetime.now(UTC)
        self.store.write(
            lambda session: set_active(session, user.id, active=False, doer=COMMAND, now=now)
        )

    def sessions(self):
        """Return where somebody is signed in, or about to."""
        with self.store.read() as session:
            return session.scalars(sa.select(StudioSession)).all()

    def user(self, email):
        """Return somebody as she is kept."""
        with self.store.read() as session:
            return session.scalars(sa.select(StudioUser).where(StudioUser.email == email)).one()

    def deeds(self):
        """Return what the audit log tells, oldest first."""
        with self.store.read() as session:
            return session.scalars(sa.select(Audit.action).order_by(Audit.id)).all()


def set_up_phone(desk):
    """Set up a second factor in a browser; return the phone that shows its codes."""
    desk.get("/tf-setup")
    shown = desk.post("/tf-setup", {"setup": "authenticator"})
    phone = TOTP(key=re.search(r'<code dir="ltr">([^<]+)</code>', shown.text)[1])
    action = html.unescape(re.search(r'action="/studio(/tf-setup/[^"]+)"', shown.text)[1])
    assert desk.post(action, {"code": phone.generate().token}).status == 302
    desk.get("/account")
    return phone
