// Lets a visit go on where a link leads to another of the company's own domains, which the page
// names: <meta name="regportal-sites" content="https://shop.acme-tools.example">. docs/recording.md
//
// The link carries a token that the portal made: behind the #, so that no server on the way sees
// it, only while it is followed, and only if it is there by then.

import { ask, handover } from './handing.js'
import { read, whyNot } from './kept.js'
import { portalOf } from './portal.js'

const MARK = '#rp_h='
/** How long a token waits for its link to be followed; it is good for twice as long. */
const FRESH = 30_000
/** How often, and how many times, an arriving visit asks whether the visitor allowed it. */
const AGAIN = 500
const PATIENCE = 90

const portal = portalOf(import.meta.url)
/** @type {Map<string, { until: number, handover?: string }>} */
const ready = new Map()

/**
 * The link to another of the sites that an event is about.
 * @param {Event} event
 */
function linkOf({ target }) {
  const link = target instanceof Element && target.closest('a')
  if (!(link instanceof HTMLAnchorElement) || link.origin === location.origin) return
  const named = document.querySelector('meta[name=regportal-sites]')?.getAttribute('content')
  if (!named?.split(/\s+/).includes(link.origin)) return
  if (!link.hash && !link.relList.contains('noreferrer')) return link
}

/**
 * Ask for a token as soon as somebody points at a link.
 * @param {Event} event
 */
async function prepare(event) {
  const to = linkOf(event)?.origin
  if (!to || whyNot(navigator, read()) || (ready.get(to)?.until ?? 0) > Date.now()) return
  const made = { until: Date.now() + FRESH }
  ready.set(to, made)
  const token = await handover(portal, to)
  if (token) Object.assign(made, { handover: token })
}

/**
 * Give a link its token while it is followed, after every other script has seen the click.
 * @param {Event} event
 */
function follow(event) {
  const link = linkOf(event)
  if (!link || event.defaultPrevented) return
  const made = ready.get(link.origin)
  if (!made?.handover || made.until < Date.now() || whyNot(navigator, read())) return
  ready.delete(link.origin)
  const before = link.getAttribute('href') ?? ''
  link.href += MARK + made.handover
  setTimeout(() => link.setAttribute('href', before))
}

/** Take the token out of the address, and give it back to the portal once the visitor allows it. */
function arrive() {
  const { hash, pathname, search } = location
  if (!hash.startsWith(MARK)) return
  history.replaceState(history.state, '', pathname + search)
  const came_from = URL.canParse(document.referrer) && new URL(document.referrer).origin
  if (!came_from) return
  let tries = 0
  const timer = setInterval(redeem, AGAIN)
  function redeem() {
    const may = !whyNot(navigator, read())
    if (may || ++tries > PATIENCE) clearInterval(timer)
    if (may) ask(portal, '/redeem', { handover: hash.slice(MARK.length), came_from })
  }
  redeem()
}

if (globalThis.document) {
  arrive()
  for (const type of ['pointerover', 'pointerdown', 'focusin'])
    addEventListener(type, prepare, { capture: true, passive: true })
  for (const type of ['click', 'auxclick']) addEventListener(type, follow)
}
