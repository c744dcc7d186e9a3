// The network of a gate: what it asks, what is answered. docs/headless.md

import { keep, read, readTouch } from './kept.js'
import { touchOf } from './touch.js'

/** @typedef {{ value: string, label: string }} Choice */

/**
 * @typedef {object} Question
 * @property {string} key
 * @property {string} label
 * @property {string | null} why
 * @property {string} type
 * @property {Choice[] | null} choices
 * @property {boolean} required
 */

/**
 * @typedef {object} Asked
 * @property {string} headline
 * @property {string} ask
 * @property {boolean} email
 * @property {Question | null} question
 * @property {{ key: string, wording: string, frequency: string | null } | null} newsletter
 * @property {boolean} recognised
 */

/**
 * @typedef {object} Shell
 * @property {string | null} text
 * @property {string[]} [abstract] not in a shell that a cache keeps from the release before
 * @property {string} title
 * @property {string} type
 * @property {string} page
 * @property {string} site
 * @property {string} privacy_notice
 * @property {boolean} kiosk
 * @property {boolean} remember
 * @property {boolean} do_not_track
 * @property {string} language
 * @property {string} direction
 * @property {Record<string, string>} theme
 * @property {Record<string, string>} words
 */

/**
 * @typedef {object} Download
 * @property {string} url
 * @property {string | null} expires_at
 * @property {string} name
 * @property {string} asset
 * @property {'play' | 'download' | 'both'} show
 * @property {string | null} [code_at] not from a portal of the release before
 */

/**
 * @typedef {object} Refused
 * @property {number} status
 * @property {string} [detail]
 * @property {string} [field]
 * @property {{ salt: string, goal: string, most: number }} [effort]
 */

const TOKEN = 'X-RP-Visitor'

/** @typedef {{ first?: Promise<unknown> }} Turns those who share a visitor's cookie or token */

/** @type {Turns} what is drawn in a page, its recorder, and frames near them */
export const here = {}

/**
 * Of several on a page the first asks alone: with its answer comes the visitor's token, which all
 * of them are to have.
 * @template T
 * @param {Turns} turns
 * @param {() => Promise<T>} ask
 * @returns {Promise<T>}
 */
export function inTurn(turns, ask) {
  const asked = turns.first ? turns.first.then(ask) : ask()
  turns.first ??= asked.catch(() => {})
  return asked
}

/** Said to the window once the portal has answered to a choice. */
export const CHOSEN = 'regportal:chosen'

/**
 * Let a choice wait for what a gate asks first, and gates for a choice that is under way: either
 * brings the browser's token, and both at once would make two visitors of one. Frames are told of it.
 * @param {typeof import('./recorder.js').regportal} recorder
 */
export function takeTurns(recorder) {
  const { choose, send } = recorder
  recorder.send = (what, ...rest) => {
    if (what !== 'choice') return send(what, ...rest)
    const told = (here.first ?? Promise.resolve()).then(() => send(what, ...rest))
    here.first = told.catch(() => {})
    return told
  }
  recorder.choose = async choice => {
    const holds = await choose(choice)
    dispatchEvent(new Event(CHOSEN))
    return holds
  }
}

/** An answer that is none of the good ones; `status` 0 where there is none at all. */
export class RefusedError extends Error {
  /** @param {Refused} problem */
  constructor(problem) {
    super(problem.detail)
    this.problem = problem
  }
}

export class Asking {
  /**
   * @param {URL} portal
   * @param {string} gate
   * @param {{ byScript: boolean, language: string, patience: number }} how
   */
  constructor(portal, gate, { byScript, language, patience }) {
    this.gate = gate
    this.address = new URL(`api/v1/gates/${gate}`, portal)
    this.byScript = byScript
    this.language = language
    this.patience = patience
  }

  /** @returns {Promise<Asked>} what the gate asks */
  ask() {
    return inTurn(here, () => this.send(''))
  }

  /** @returns {Promise<Shell>} what is the same for everybody */
  shell() {
    return this.send('/shell', undefined, { credentials: 'omit' })
  }

  /**
   * Answer the gate, after a choice that is under way: it was made before.
   * @param {object} answers
   * @returns {Promise<{ download?: Download, mailed?: boolean }>}
   */
  async answer(answers) {
    const enough = new Promise(resolve => setTimeout(resolve, this.patience))
    await Promise.race([here.first, enough])
    return this.send('', answers)
  }

  /** @param {string} ask */
  notYou(ask) {
    return this.send('/not-you', { ask })
  }

  /**
   * The network.
   * @param {string} path
   * @param {object} [body]
   * @param {RequestInit} [how]
   * @returns {Promise<any>}
   */
  async send(path, body, how) {
    const address = new URL(this.address + path)
    const { referrer = '', parameters = {} } =
      readTouch() ?? touchOf(document.referrer, location) ?? {}
    if (body) {
      for (const name in parameters) address.searchParams.set(name, parameters[name])
      address.searchParams.set('rp_ref', referrer.slice(0, 500))
    }
    if (this.language) address.searchParams.set('lang', this.language)
    /** @type {Record<string, string>} */
    const headers = this.byScript && !how ? { [TOKEN]: read().token ?? '' } : {}
    if (body) headers['Content-Type'] = 'application/json'
    const answer = await fetch(address, {
      method: body ? 'POST' : 'GET',
      credentials: this.byScript ? 'omit' : 'include',
      headers,
      body: body ? JSON.stringify(body) : null,
      signal: AbortSignal.timeout(this.patience),
      ...how,
    }).catch(() => null)
    const token = answer?.headers.get(TOKEN)
    if (this.byScript && token) keep({ ...read(), token })
    const said = await answer?.json().catch(() => null)
    if (answer?.ok && said) return said
    throw new RefusedError({ ...said, status: answer?.status ?? 0 })
  }
}
