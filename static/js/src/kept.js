// What is kept in the browser: the visitor's choice, and what was not sent yet. Never a person.
// For somebody who may be recognised later in the browser, for anybody else in the tab.

/** @typedef {{ recognise: boolean, track: boolean }} Choice */

/**
 * @typedef {object} Kept
 * @property {boolean} [recognise]
 * @property {boolean} [track] what the portal said to the visitor's choice
 * @property {Choice} [owed] a choice the portal has not heard yet
 * @property {string | undefined} [token] the visitor's, where the portal's cookies cannot go along
 * @property {import('./queue.js').Interaction[] | undefined} [queue]
 */

const KEPT = 'regportal'
const TOUCH = 'regportal-touch'

/**
 * A browser's storage; where that is forbidden, one that ends with the page.
 * @param {'localStorage' | 'sessionStorage'} name
 * @returns {Record<string, string>}
 */
function storage(name) {
  try {
    return /** @type {any} */ (window[name] ?? {})
  } catch {
    return {}
  }
}

const tab = storage('sessionStorage')
const browser = storage('localStorage')

/** @returns {Kept} what is kept; nothing where somebody else wrote it */
export function read() {
  try {
    return JSON.parse(tab[KEPT] ?? browser[KEPT] ?? '')
  } catch {
    return {}
  }
}

/** @param {Kept} kept */
export function keep(kept) {
  const [place, other] = kept.recognise || kept.owed ? [browser, tab] : [tab, browser]
  delete other[KEPT]
  if (!kept.track) delete tab[TOUCH]
  put(place, KEPT, kept)
}

export const readTouch = () => tab[TOUCH] && JSON.parse(tab[TOUCH])

/** @param {object} touch */
export const keepTouch = touch => put(tab, TOUCH, touch)

/**
 * @param {Record<string, string>} place
 * @param {string} name
 * @param {object} value
 */
function put(place, name, value) {
  try {
    place[name] = JSON.stringify(value)
  } catch {
    // It is full: the page goes on without.
  }
}

/**
 * Why nothing is recorded; undefined where it is.
 * @param {{ globalPrivacyControl?: boolean, webdriver: boolean }} browser
 * @param {Kept} kept
 */
export function whyNot(browser, { track }) {
  if (browser.globalPrivacyControl) return 'Global Privacy Control'
  if (globalThis.isSecureContext === false) return 'no https'
  if (browser.webdriver) return 'a program steers the browser'
  if (track === undefined) return 'no choice yet'
  return track ? undefined : 'the visitor refused'
}
