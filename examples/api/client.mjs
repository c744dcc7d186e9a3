// What a page's own script does with regportal's API: opens a gate that it draws itself, and tells
// what the visitor did. The same in a browser and in Node:
//
//     node client.mjs https://go.acme.example https://www.acme.example price-list ann@initech.example

/** One portal, asked for one visitor. `keep` is called with his token: a site stores it. */
export class Portal {
  constructor(url, { token = '', keep = () => {}, headers = {} } = {}) {
    Object.assign(this, { url: `${url}/api/v1`, token, keep, headers })
  }

  /** Ask; throw the portal's own sentence, with the field that is wrong. */
  async ask(path, body) {
    const answer = await fetch(`${this.url}/${path}`, {
      method: body ? 'POST' : 'GET',
      headers: { ...this.headers, 'Content-Type': 'application/json', 'X-RP-Visitor': this.token },
      body: body && JSON.stringify(body),
    })
    const token = answer.headers.get('X-RP-Visitor')
    if (token) this.keep((this.token = token))
    const said = await answer.json()
    if (!answer.ok) throw Object.assign(new Error(said.detail), { field: said.field })
    return said
  }

  /** What the visitor chose in the site's banner: without it nothing is linked to him. */
  choose = (recognise, track) => this.ask('choice', { recognise, track })

  /** What a gate asks: the address, one question, or nothing. */
  gate = key => this.ask(`gates/${key}`)

  /** Answer what was asked, and get the file, or word of a mail. */
  open = (asked, answers) => this.ask(`gates/${asked.gate}`, { ask: asked.ask, ...answers })

  /** Tell of an interaction. Its id is made once: told again, it counts once. */
  tell(type, object, properties = {}) {
    const occurred_at = new Date().toISOString()
    return this.ask('interactions', { events: [{ id: uuid7(), type, object, properties, occurred_at }] })
  }
}

/** An id that begins with its time. */
export function uuid7() {
  const time = Date.now().toString(16).padStart(12, '0')
  return crypto.randomUUID().replace(/^.{8}-.{4}-4/, `${time.slice(0, 8)}-${time.slice(8)}-7`)
}

if (globalThis.process?.argv[1] === import.meta.filename) {
  const [url, origin, gate, email] = process.argv.slice(2)
  const portal = new Portal(url, { headers: { Origin: origin } }) // browsers send Origin themselves
  const asked = await portal.gate(gate)
  console.log(asked.headline, await portal.open(asked, asked.email ? { email } : {}))
  console.log(await portal.choose(false, true))
  console.log(await portal.tell('price_lookup', 'widget-9', { currency: 'GBP' }))
}
