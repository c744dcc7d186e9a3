// <regportal-gate gate="price-list"><a href="…/g/price-list">Get the price list</a></regportal-gate>
//
// Shows the gate in place of the link inside it. Without this script, or when the portal does not
// answer, the link stays and opens the same gate as a page of its own.

import { portalOf } from './portal.js'
import { CAMPAIGN } from './touch.js'

export { regportal } from './recorder.js'

const KEY = /^[a-z0-9][a-z0-9_-]{0,63}$/
const STATES = ['asked', 'refused', 'opened', 'failed']
const TALLEST = 20_000
const NEAR = '600px'

/** @typedef {{ type: 'height', height: number } | { type: 'state', state: string }} Said */

/**
 * The address of a gate's page for a frame, with where the visitor came from; null where no
 * gate can be called so.
 * @param {URL} portal
 * @param {string} gate
 * @param {{ origin: string, search: string }} page around it
 * @param {string} referrer of that page
 * @param {string} language it asks the gate to speak; empty where the visitor's browser decides
 */
export function frameAddress(portal, gate, page, referrer, language = '') {
  if (!KEY.test(gate)) return null
  const address = new URL(`g/${gate}`, portal)
  address.searchParams.set('in', 'frame')
  address.searchParams.set('host', page.origin)
  for (const [name, value] of new URLSearchParams(page.search)) {
    if (CAMPAIGN.test(name)) address.searchParams.set(name, value.slice(0, 200))
  }
  if (referrer) address.searchParams.set('rp_ref', referrer.slice(0, 500))
  if (language) address.searchParams.set('lang', language)
  return address.href
}

/**
 * What a message from the frame says, or null where it is not one of ours.
 * @param {any} data
 * @returns {Said | null}
 */
export function understand(data) {
  if (data === null || typeof data !== 'object' || data.v !== 1) return null
  if (data.type === 'height' && Number.isFinite(data.height) && data.height >= 0)
    return { type: 'height', height: Math.min(Math.ceil(data.height), TALLEST) }
  if (data.type === 'state' && STATES.includes(data.state))
    return { type: 'state', state: data.state }
  return null
}

/**
 * Whether the page around a gate is dark, from its own `color-scheme`; the visitor's wish
 * decides only where the page follows it.
 * @param {string} scheme
 * @param {boolean} wish
 */
export function isDark(scheme, wish) {
  const may = scheme.split(' ')
  return may.includes('dark') && (wish || !may.includes('light'))
}

/** Outside a browser (in a test) there are no elements to extend. */
const Element = globalThis.HTMLElement ?? class {}

const LOOK = `
  :host { display: block; position: relative }
  :host([hidden]) { display: none }
  iframe { display: block; width: 100%; height: 0; border: 0 }
  iframe:not([data-ready]) { position: absolute; visibility: hidden }
  [hidden] { display: none }
  [part=waiting] { height: 2px; overflow: hidden; border-radius: 2px; margin-top: .75em }
  [part=waiting]::before { content: ''; display: block; width: 30%; height: 100%; background: currentColor; opacity: .5 }
  @media (prefers-reduced-motion: no-preference) {
    [part=waiting]::before { animation: go 1.1s ease-in-out infinite alternate }
    @keyframes go { to { margin-inline-start: 70% } }
  }
`

export class GateElement extends Element {
  static observedAttributes = ['gate']
  static patience = 10_000

  static define(tag = 'regportal-gate', registry = customElements) {
    if (!registry.get(tag)) registry.define(tag, GateElement)
    return GateElement
  }

  /** @type {HTMLIFrameElement | null} */
  #frame = null
  /** @type {IntersectionObserver | null} */
  #watch = null
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #giveUp = undefined

  get portal() {
    return portalOf(import.meta.url)
  }

  connectedCallback() {
    window.addEventListener('message', this)
    this.#watch = new IntersectionObserver(
      seen => {
        if (seen.some(entry => entry.isIntersecting)) this.load()
      },
      { rootMargin: NEAR },
    )
    this.#watch.observe(this)
  }

  disconnectedCallback() {
    window.removeEventListener('message', this)
    this.#leave()
  }

  attributeChangedCallback() {
    if (this.#frame) this.load()
  }

  /** Ask for the gate; the link inside stays until the gate is there. */
  load() {
    const gate = this.getAttribute('gate') ?? ''
    const address = frameAddress(this.portal, gate, location, document.referrer, this.lang)
    this.#leave()
    if (!address) return
    const frame = document.createElement('iframe')
    frame.part.add('frame')
    frame.title = this.getAttribute('title') || this.textContent?.trim() || gate
    frame.name = this.#isDark() ? 'regportal-dark' : 'regportal-light'
    frame.src = address
    this.#frame = frame
    this.#arrange(frame)
    this.#giveUp = setTimeout(() => this.#fail(), GateElement.patience)
  }

  /** @param {MessageEvent} event */
  handleEvent(event) {
    const frame = this.#frame
    if (!frame || event.source !== frame.contentWindow) return
    if (event.origin !== this.portal.origin) return
    const said = understand(event.data)
    if (said?.type === 'height') this.#show(frame, said.height)
    if (said?.type === 'state') {
      if ('ready' in frame.dataset && this.getBoundingClientRect().top < 0) this.scrollIntoView()
      this.#tell(said.state)
    }
  }

  /**
   * @param {HTMLIFrameElement} frame
   * @param {number} height
   */
  #show(frame, height) {
    clearTimeout(this.#giveUp)
    frame.style.height = `${height}px`
    if ('ready' in frame.dataset) return
    frame.dataset.ready = ''
    for (const other of frame.parentNode?.children ?? []) {
      if (other instanceof HTMLElement && other !== frame) other.hidden = true
    }
    this.removeAttribute('aria-busy')
  }

  #isDark() {
    const { colorScheme } = getComputedStyle(this)
    return isDark(colorScheme, matchMedia('(prefers-color-scheme: dark)').matches)
  }

  #fail() {
    this.#leave()
    this.#tell('failed')
  }

  #leave() {
    clearTimeout(this.#giveUp)
    this.#watch?.disconnect()
    this.#frame?.remove()
    this.#frame = null
    for (const other of this.shadowRoot?.children ?? []) {
      if (other instanceof HTMLElement) other.hidden = other.tagName !== 'SLOT'
    }
    this.removeAttribute('aria-busy')
  }

  /** @param {HTMLIFrameElement} frame */
  #arrange(frame) {
    const root = this.shadowRoot ?? this.attachShadow({ mode: 'open' })
    if (!root.adoptedStyleSheets.length) {
      const look = new CSSStyleSheet()
      look.replaceSync(LOOK)
      root.adoptedStyleSheets = [look]
    }
    const waiting = document.createElement('div')
    waiting.part.add('waiting')
    waiting.setAttribute('aria-hidden', 'true')
    root.replaceChildren(document.createElement('slot'), waiting, frame)
    this.setAttribute('aria-busy', 'true')
  }

  /** @param {string} state */
  #tell(state) {
    const detail = { gate: this.getAttribute('gate') }
    this.dispatchEvent(
      new CustomEvent(`regportal:${state}`, { bubbles: true, composed: true, detail }),
    )
  }
}

if (globalThis.customElements) GateElement.define()
