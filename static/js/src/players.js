// <regportal-video data-rp-video="tour">
//   <a href="https://www.youtube.com/watch?v=…">Play the tour. Loads YouTube, which may set cookies.</a>
// </regportal-video>
//
// Nothing of YouTube or Vimeo is loaded before the visitor presses, or the site's banner allows it.
// What he watches then is told to the recorder, to which this element looks like a <video>.
// Without this script the link stays a link.

import { opened, playerOf } from './services.js'
import { Watching } from './watching.js'

/** How often, and how many times, a player is asked to tell until it does; in milliseconds. */
const AGAIN = 500
const PATIENCE = 20
const MAY = 'autoplay; encrypted-media; fullscreen; picture-in-picture'

/** Outside a browser (in a test) there are no elements to extend. */
const Element = globalThis.HTMLElement ?? class {}

export class VideoElement extends Element {
  static observedAttributes = ['allowed']

  static define(tag = 'regportal-video', registry = customElements) {
    if (!registry.get(tag)) registry.define(tag, VideoElement)
  }

  #watching = new Watching()
  /** @type {HTMLButtonElement | undefined} */
  #button
  /** @type {HTMLIFrameElement | undefined} */
  #frame
  /** @type {ReturnType<typeof playerOf>} */
  #player
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #asking

  /** What was watched until now, as a <video> says it. */
  get played() {
    const { stretches } = this.#watching
    return {
      length: stretches.length,
      start: (/** @type {number} */ nth) => stretches[nth]?.[0],
      end: (/** @type {number} */ nth) => stretches[nth]?.[1],
    }
  }

  get duration() {
    return this.#watching.duration
  }

  connectedCallback() {
    window.addEventListener('message', this)
    this.#button ??= this.#makeButton()
    if (this.hasAttribute('allowed')) this.load()
  }

  disconnectedCallback() {
    window.removeEventListener('message', this)
    this.#unload()
  }

  attributeChangedCallback() {
    if (this.hasAttribute('allowed')) this.load()
    else this.#unload()
  }

  /** Load the player in place of the button. */
  load({ playing = false } = {}) {
    if (!this.#player || !this.#button || this.#frame || !this.isConnected) return
    const frame = document.createElement('iframe')
    frame.title = this.title || this.#button.textContent?.trim() || 'Video'
    frame.width = '560'
    frame.height = '315'
    frame.allow = MAY
    frame.referrerPolicy = 'strict-origin' // YouTube plays nothing without
    if (!playing) frame.loading = 'lazy'
    frame.addEventListener('load', () => this.#ask())
    frame.src = this.#player.address + (playing ? '&autoplay=1' : '')
    this.#frame = frame
    this.#button.replaceWith(frame)
  }

  /** @param {Event} event */
  handleEvent(event) {
    if (event.type === 'click') {
      this.load({ playing: true })
      this.#frame?.focus()
    } else if (event instanceof MessageEvent) this.#hear(event)
  }

  /** @param {MessageEvent} event */
  #hear({ source, origin, data }) {
    const { service } = this.#player ?? {}
    if (!service || origin !== service.origin || source !== this.#frame?.contentWindow) return
    const told = opened(data)
    const said = service.understand(told)
    if (!said) return
    clearInterval(this.#asking)
    if (!Object.keys(said).length) this.#greet() // it has only just begun to listen
    const before = this.#watching.playing
    this.#watching.hear(said, performance.now() / 1000)
    if (before && !this.#watching.playing) this.#tell()
  }

  /** Tell the recorder, where the page has one, what was watched. */
  #tell() {
    /** @type {any} */
    const { regportal } = globalThis
    const { stretches, duration } = this.#watching
    if (this.dataset.rpVideo) regportal?.watched(this.dataset.rpVideo, stretches, duration)
  }

  /** Ask the player to tell, until it does. */
  #ask() {
    let tries = 0
    clearInterval(this.#asking)
    this.#greet()
    this.#asking = setInterval(() => {
      if (++tries < PATIENCE) this.#greet()
      else clearInterval(this.#asking)
    }, AGAIN)
  }

  #greet() {
    const { service } = this.#player ?? {}
    for (const greeting of service?.greetings ?? [])
      this.#frame?.contentWindow?.postMessage(JSON.stringify(greeting), service?.origin ?? '')
  }

  /** The link to the film, as a button; undefined where there is none that we can play. */
  #makeButton() {
    const link = this.querySelector('a')
    this.#player = link ? playerOf(link.href, location.origin) : undefined
    if (!link || !this.#player) {
      console.info('regportal-video: no link to a film of YouTube or Vimeo inside')
      return
    }
    const button = document.createElement('button')
    button.type = 'button'
    button.className = link.className
    button.append(...link.childNodes)
    button.addEventListener('click', this)
    link.replaceWith(button)
    return button
  }

  /** Give the button back, and tell what was watched. */
  #unload() {
    clearInterval(this.#asking)
    if (!this.#frame || !this.#button) return
    this.#watching.hear({ playing: false }, 0)
    this.#tell()
    this.#frame.replaceWith(this.#button)
    this.#frame = undefined
  }
}

if (globalThis.customElements) VideoElement.define()
