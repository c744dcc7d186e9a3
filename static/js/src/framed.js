// A gate in a frame: where the portal is on another site, or the page asks for it.

import { CHOSEN, here, inTurn } from './asking.js'
import { handover } from './handing.js'
import { read, whyNot } from './kept.js'
import { isNear } from './portal.js'
import { CAMPAIGN } from './touch.js'

const STATES = ['asked', 'refused', 'opened', 'failed']
const TALLEST = 20_000

/** @typedef {{ type: 'height', height: number } | { type: 'state', state: string, known: boolean }} Said */

/**
 * The address of a gate's page for a frame, with where the visitor came from.
 * @param {URL} portal
 * @param {string} gate
 * @param {{ origin: string, search: string }} page around it
 * @param {string} referrer of that page
 * @param {string} language it asks the gate to speak; empty where the visitor's browser decides
 */
export function frameAddress(portal, gate, page, referrer, language = '') {
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
    return { type: 'state', state: data.state, known: data.known === true }
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

/** @type {import('./asking.js').Turns} frames of another site, which have a cookie of their own */
const there = {}

/** What is shown in the place of the link: a frame that says how tall it is. */
export class Framed {
  #ended = false
  /** Lets the other gates of the page begin. */
  #heard = () => {}
  /** Whether somebody gave an address in the frame. */
  #known = false

  /**
   * @param {HTMLElement} host
   * @param {URL} portal
   * @param {string} gate
   * @param {{ begins: () => void, tell: (state: string) => void, ready: (shown: Element) => void }} says
   */
  constructor(host, portal, gate, says) {
    this.host = host
    this.portal = portal
    this.says = says
    const frame = document.createElement('iframe')
    frame.part.add('frame')
    frame.title = host.getAttribute('title') || host.querySelector('a')?.textContent?.trim() || gate
    const { colorScheme } = getComputedStyle(host)
    const dark = isDark(colorScheme, matchMedia('(prefers-color-scheme: dark)').matches)
    frame.name = dark ? 'regportal-dark' : 'regportal-light'
    frame.allow = 'fullscreen'
    this.frame = frame
    for (const type of ['message', CHOSEN]) window.addEventListener(type, this)
    const near = isNear(location.hostname, portal.hostname)
    inTurn(near ? here : there, async () => {
      if (this.#ended) return
      frame.src = frameAddress(portal, gate, location, document.referrer, host.lang)
      says.begins()
      await new Promise(heard => {
        this.#heard = () => heard(null)
      })
    })
  }

  /** @param {any} event a message, or word that the visitor chose */
  handleEvent(event) {
    const { frame, host } = this
    if (event.type === CHOSEN) this.#introduce()
    if (event.source !== frame.contentWindow || event.origin !== this.portal.origin) return
    const said = understand(event.data)
    if (said?.type === 'height') {
      frame.style.height = `${said.height}px`
      if (!('ready' in frame.dataset)) this.says.ready(frame)
      frame.dataset.ready = ''
    }
    if (said?.type === 'state') {
      this.#heard()
      if ('ready' in frame.dataset && host.getBoundingClientRect().top < 0) host.scrollIntoView()
      this.says.tell(said.state)
      this.#known = said.known
      this.#introduce()
    }
  }

  /**
   * Tell the frame who the page's recorder is, where the visitor allowed to be followed and both are
   * two to the portal: only the portal can read it.
   */
  async #introduce() {
    const kept = read()
    if (!this.#known || !kept.token || whyNot(navigator, kept)) return
    const { origin } = this.portal
    const token = await handover(this.portal, origin)
    if (token)
      this.frame.contentWindow?.postMessage({ v: 1, type: 'handover', handover: token }, origin)
  }

  end() {
    this.#ended = true
    this.#heard()
    for (const type of ['message', CHOSEN]) window.removeEventListener(type, this)
    this.frame.remove()
  }
}
