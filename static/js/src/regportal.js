// <regportal-gate gate="price-list"><a href="…/g/price-list">Get the price list</a></regportal-gate>
//
// Shows the gate in place of the link inside it. Without this script, or when the portal does not
// answer, the link stays and opens the same gate as a page of its own. docs/embedding.md

import { Asking, RefusedError, takeTurns } from './asking.js'
import { Drawn } from './drawn.js'
import { Framed } from './framed.js'
import { BASE, LOOK, sheetOf, themeOf } from './look.js'
import { isNear, portalOf } from './portal.js'
import { regportal } from './recorder.js'

export { regportal }

export const KEY = /^[a-z0-9][a-z0-9_-]{0,63}$/
const NEAR = '600px'

/**
 * How a gate is shown: drawn in the page, drawn with a token that its scripts hold, or framed.
 * A page that is in a frame itself may be somebody's trap: only a frame can refuse that.
 * @param {string | null} mode the page asks for
 * @param {{ near: boolean, inFrame: boolean }} place
 */
export function wayOf(mode, { near, inFrame }) {
  if (mode === 'frame' || inFrame) return 'frame'
  if (mode === 'script') return 'script'
  return near ? 'drawn' : 'frame'
}

/** Outside a browser (in a test) there are no elements to extend. */
const Element = globalThis.HTMLElement ?? class {}

export class GateElement extends Element {
  static observedAttributes = ['gate', 'mode', 'lang']
  static patience = 10_000

  static define(tag = 'regportal-gate', registry = customElements) {
    if (!registry.get(tag)) registry.define(tag, GateElement)
    return GateElement
  }

  /** Whether it came into view. */
  #near = false
  /** @type {Framed | Drawn | null} */
  #shown = null
  /** @type {IntersectionObserver | null} */
  #watch = null
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #giveUp = undefined
  /** @type {ChildNode[]} the link, where a light gate has taken its place */
  #inside = []

  get portal() {
    return portalOf(import.meta.url)
  }

  connectedCallback() {
    this.#watch = new IntersectionObserver(
      seen => {
        this.#near = seen.some(entry => entry.isIntersecting)
        if (this.#near) this.load()
      },
      { rootMargin: NEAR },
    )
    this.#watch.observe(this)
  }

  disconnectedCallback() {
    this.#near = false
    this.#leave()
  }

  attributeChangedCallback() {
    if (this.#near) this.load()
  }

  /** Ask for the gate; the link inside stays until the gate is there. */
  load() {
    const gate = this.getAttribute('gate') ?? ''
    if (!KEY.test(gate)) return this.#fail(404)
    this.#leave()
    const { hostname } = this.portal
    const way = wayOf(this.getAttribute('mode'), {
      near: isNear(location.hostname, hostname),
      inFrame: window.parent !== window,
    })
    if (way === 'frame') this.#frame(gate)
    else this.#draw(gate, way === 'script')
  }

  /**
   * @param {string} gate
   * @param {boolean} byScript
   */
  async #draw(gate, byScript) {
    const { patience } = GateElement
    const asking = new Asking(this.portal, gate, { byScript, language: this.lang, patience })
    const light = this.hasAttribute('light')
    const place = document.createElement('div')
    place.part.add('gate')
    if (!light) this.#arrange(place, sheetOf(LOOK))
    const drawn = new Drawn(place, asking, {
      tell: state => this.#tell(state),
      ready: ({ theme }) => {
        if (light) {
          this.#inside = [...this.childNodes]
          this.replaceChildren(place)
        } else this.shadowRoot?.adoptedStyleSheets.push(themeOf(theme))
        this.removeAttribute('aria-busy')
      },
    })
    this.#shown = drawn
    try {
      await drawn.show()
    } catch (error) {
      if (this.#shown !== drawn) return
      const status = error instanceof RefusedError ? error.problem.status : 0
      if (byScript && status === 403)
        console.info(`regportal: ${gate} gives its file by mail, so it is shown in a frame`)
      if (status === 0 || status === 403) this.#frame(gate)
      else this.#fail(status)
    }
  }

  /** @param {string} gate */
  #frame(gate) {
    this.#leave()
    const { patience } = GateElement
    const framed = new Framed(this, this.portal, gate, {
      begins: () => {
        this.#giveUp = setTimeout(() => this.#fail(), patience)
      },
      tell: state => this.#tell(state),
      ready: frame => {
        clearTimeout(this.#giveUp)
        for (const other of frame.parentNode?.children ?? []) {
          if (other instanceof HTMLElement && other !== frame) other.hidden = true
        }
        this.removeAttribute('aria-busy')
      },
    })
    this.#shown = framed
    this.#arrange(framed.frame, null)
    if (this.hasAttribute('light'))
      console.info(`regportal: ${gate} cannot be light here, so it is shown in a frame`)
    // A frame of another site does not say that there is no such gate.
    const asking = new Asking(this.portal, gate, { byScript: false, language: this.lang, patience })
    asking.shell().catch(error => {
      if (error.problem?.status === 404 && this.#shown === framed) this.#fail(404)
    })
  }

  /** @param {number} [status] */
  #fail(status) {
    if (status === 404)
      console.info(`regportal: there is no published gate "${this.getAttribute('gate') ?? ''}"`)
    this.#leave()
    this.#tell('failed')
  }

  #leave() {
    clearTimeout(this.#giveUp)
    this.#watch?.disconnect()
    this.#shown?.end()
    this.#shown = null
    if (this.#inside[0]) this.replaceChildren(...this.#inside)
    this.#inside = []
    this.shadowRoot?.replaceChildren(document.createElement('slot'))
    this.removeAttribute('aria-busy')
  }

  /**
   * Show the link until what comes in its place is there.
   * @param {HTMLElement} shown
   * @param {CSSStyleSheet | null} look
   */
  #arrange(shown, look) {
    const root = this.shadowRoot ?? this.attachShadow({ mode: 'open' })
    root.adoptedStyleSheets = look ? [sheetOf(BASE), look] : [sheetOf(BASE)]
    const waiting = document.createElement('div')
    waiting.part.add('waiting')
    waiting.setAttribute('aria-hidden', 'true')
    const slot = document.createElement('slot')
    if (look) {
      shown.append(slot, waiting)
      root.replaceChildren(shown)
      shown.setAttribute('aria-busy', 'true')
    } else root.replaceChildren(slot, waiting, shown)
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

takeTurns(regportal)
if (globalThis.customElements) GateElement.define()
