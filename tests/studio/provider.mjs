// A real OpenID Connect provider (oidc-provider) on this machine: whoever gives an address is let in.
// node provider.mjs PORT CLIENT SECRET REDIRECT

import { Provider } from 'oidc-provider'

const [port, client, secret, back] = process.argv.slice(2)
const GROUPS = { 'sales@acme.example': ['sales'] }

const provider = new Provider(`http://localhost:${port}`, {
  clients: [{ client_id: client, client_secret: secret, redirect_uris: [back] }],
  pkce: { required: () => true },
  claims: { openid: ['sub', 'groups'], email: ['email', 'email_verified'], profile: ['name'] },
  findAccount: (_context, id) => ({
    accountId: id,
    claims: () => ({
      sub: `sub of ${id}`,
      email: id,
      email_verified: !id.startsWith('unproven'),
      groups: GROUPS[id] ?? [],
    }),
  }),
})
provider.listen(Number(port), '127.0.0.1', () => console.log('ready'))
