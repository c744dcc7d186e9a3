// Records what a visitor does on a page: after his choice, never before. docs/recording.md

import { stretches, tenth, untold } from './films.js'
import { keep, keepTouch, read, readTouch, whyNot } from './kept.js'
import { gateOf, isNear, portalOf } from './portal.js'
import { bounded, mayTakeLater, pause, SOON, uuid7 } from './queue.js'
import { touchOf } from './touch.js'

/** @typedef {import('./films.js').Stretch} Stretch */
/** @typedef {import('./kept.js').Choice} Choice */

/** @type {any} */
const global = globalThis
const portal = portalOf(import.meta.url)
/** @type {Map<string, Stretch[]>} */
const told = new Map()
const arrived = new WeakSet()
let begun = false
let busy = false
let choices = 0
let tries = 0
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer
/** @type {string | undefined} */
let page
/** @type {string | null | undefined} */
let searched
/** @type {string | undefined} */
let left

/** What a page may ask of the recorder, as `window.regportal` or by `import`. */
const ours = {
  /**
   * Tell the portal what the visitor chose, and return what holds. A refusal holds at once; whatever
   * is not true is one ("denied", nothing at all).
   * @param {Choice} [choice]
   * @returns {Promise<Choice>}
   */
  async choose(choice) {
    const asked = { recognise: choice?.recognise === true, track: choice?.track === true }
    const turn = ++choices
    const { token } = read()
    films()
    if (!asked.track) keep(asked)
    /** @param {boolean} near */
    const tell = near =>
      ours.send('choice', asked, near, () => ({
        'Content-Type': 'application/json',
        ...(near ? {} : { 'X-RP-Visitor': read().token ?? token ?? '' }),
      }))
    const near = !token && isNear(location.hostname, portal.hostname)
    const answer = await tell(near)
      .catch(() => (near ? tell(false) : null))
      .catch(() => null)
    /** @type {Choice | undefined} */
    const holds = answer?.ok ? await answer.json().catch(() => {}) : undefined
    if (turn !== choices) return asked
    const { queue } = read()
    if (holds?.track)
      keep({ ...holds, token: answer?.headers.get('X-RP-Visitor') ?? undefined, queue })
    else if (holds) keep(holds)
    else if (mayTakeLater(answer?.status)) keep({ ...read(), owed: asked })
    if (holds) start()
    else say(`could not tell the choice (${answer?.status})`)
    return holds ?? { recognise: false, track: false }
  },

  /**
   * Record an interaction; do nothing where the visitor has not allowed it.
   * @param {string} type
   * @param {import('./queue.js').Details} [details]
   */
  record(type, details) {
    const kept = read()
    if (!begun || whyNot(navigator, kept)) return
    const occurred_at = new Date().toISOString()
    const made = { id: uuid7(), type, object: here(), occurred_at, ...details }
    const queue = [...(kept.queue ?? []), made]
    keep({ ...kept, queue: bounded(queue) })
    if (queue.length >= 20 && !tries) flush()
    else timer ??= setTimeout(flush, SOON)
  },

  /**
   * Record what was watched of a film, each stretch once. Any player may tell it.
   * @param {string} film
   * @param {Stretch[]} stretches watched up to now
   * @param {number} duration in seconds
   */
  watched(film, stretches, duration) {
    const before = told.get(film) ?? []
    const watched = untold(stretches, before)
    if (!watched[0]) return
    told.set(film, [...before, ...watched])
    const properties = {
      watched,
      duration: duration < 1e6 ? tenth(duration) : undefined,
    }
    ours.record('video_watch', { object: film, properties })
  },

  /**
   * The network.
   * @param {string} what
   * @param {object} said
   * @param {boolean} near whether the portal's cookies go along
   * @param {() => Record<string, string>} [headers] as they are when it is sent
   */
  send(what, said, near, headers) {
    return fetch(`${portal}api/v1/${what}`, {
      method: 'POST',
      credentials: near ? 'include' : 'omit',
      headers: /** @type {any} */ (headers?.()),
      body: JSON.stringify(said),
      keepalive: true,
    })
  },
}

/** @param {string} what */
const say = what => console.info(`regportal ${what}`)

/** This page, without what may be personal in its address. */
const here = () => location.origin + location.pathname

/**
 * Do what can wait when the page has nothing else to do; Safari has no such moment.
 * @param {() => void} task
 */
const later = task => (global.requestIdleCallback ?? setTimeout)(task, { timeout: 1000 })

/** What waits, as it is sent; undefined where nothing does. */
function letter() {
  const { queue = [], token: visitor } = read()
  const events = bounded(queue).slice(0, 50)
  if (events[0]) return { events, sent_at: new Date().toISOString(), touch: readTouch(), visitor }
}

/** Send what waits, and keep it until the portal has it. */
async function flush() {
  clearTimeout(timer)
  timer = undefined
  const sent = letter()
  if (busy || !sent) return
  busy = true
  const answer = await ours.send('interactions', sent, !sent.visitor).catch(() => null)
  const said = await answer?.json().catch(() => null)
  busy = false
  if (!answer || mayTakeLater(answer.status) || (answer.ok && !said)) {
    timer ??= setTimeout(flush, pause(tries++, answer?.headers.get('Retry-After')))
    return
  }
  tries = 0
  const { events } = sent
  const kept = read()
  const queue = kept.queue?.filter(({ id }) => !events.some(one => one.id === id))
  if (queue) keep({ ...kept, token: answer.headers.get('X-RP-Visitor') ?? kept.token, queue })
  if (queue?.[0]) timer ??= setTimeout(flush, SOON)
  if (!answer.ok) say(`dropped ${events.length} interactions (${answer.status})`)
  for (const { index, reason } of said?.refused ?? [])
    say(`refused ${events[index]?.type}: ${reason}`)
}

/** Send what waits while the page ends; no answer comes, so it is kept and sent again. */
function leave() {
  films()
  const sent = letter()
  const last = sent?.events.at(-1)?.id
  if (last && last !== left)
    navigator.sendBeacon(`${portal}api/v1/interactions`, JSON.stringify(sent))
  left = last
}

/** Record what was watched until now; what was not allowed then is not told later. */
function films() {
  for (const film of document.querySelectorAll('[data-rp-video]')) look(film)
}

/** @param {any} film a `<video>`, or what says of itself what a `<video>` does */
function look({ dataset, duration, played }) {
  if (!played || !dataset.rpVideo) return
  ours.watched(dataset.rpVideo, stretches(played), duration)
}

/** @param {HTMLElement} element that says what happened by its attributes */
function declared({ dataset }) {
  const { rpEvent = '', rpObject = here(), rpCategory, rpProperties } = dataset
  try {
    const properties = rpProperties && JSON.parse(rpProperties)
    ours.record(rpEvent, { object: rpObject, category: rpCategory, properties })
  } catch {
    say(`cannot read ${rpProperties}`)
  }
}

/** @param {Event} event */
function hear({ type, target }) {
  if (type === 'pause' || type === 'ended') look(target)
  else if (target instanceof Element) {
    /** @type {HTMLElement | null} */
    const one = target.closest('[data-rp-event]:not([data-rp-on=load])')
    if (one && one instanceof HTMLFormElement === (type === 'submit')) declared(one)
    /** @type {HTMLAnchorElement | null} */
    const link = type === 'click' ? target.closest('a[href]') : null
    const gate =
      link &&
      (gateOf(`${link.href}`, portal) ?? link.closest('regportal-gate')?.getAttribute('gate'))
    if (gate) ours.record('custom:gate_link', { object: gate })
  } else if (type === 'pagehide' || document.hidden) leave()
}

/** Record the page that is shown now, and what it declares. */
function arrive() {
  if (page !== here())
    ours.record('page_view', { properties: { title: document.title.slice(0, 200) } })
  page = here()
  const name = document.querySelector('meta[name=regportal-search]')?.getAttribute('content')
  const query = name && new URLSearchParams(location.search).get(name)?.slice(0, 200)
  if (query && query !== searched) ours.record('search', { properties: { query } })
  searched = query
  /** @type {NodeListOf<HTMLElement>} */
  const elements = document.querySelectorAll('[data-rp-event][data-rp-on=load]')
  for (const element of elements) {
    if (!arrived.has(element)) declared(element)
    arrived.add(element)
  }
}

/** Record from now on; or say why not. */
function start() {
  const kept = read()
  if (kept.owed) {
    ours.choose(kept.owed)
    return
  }
  const why = whyNot(navigator, kept)
  if (why) {
    if (kept.track) keep({ track: false })
    say(`records nothing: ${why}`)
  }
  if (why || begun) return
  begun = true
  const touch = touchOf(document.referrer, location)
  if (touch) keepTouch(touch)
  for (const type of ['click', 'submit', 'pause', 'ended', 'visibilitychange', 'pagehide'])
    addEventListener(type, hear, { capture: true, passive: true })
  // Where it is missing (Safari before 26.2) only loads count: the page's history is not ours to patch.
  global.navigation?.addEventListener('currententrychange', () => later(arrive))
  arrive()
}

/** The recorder of this page: one, however many scripts bring one along. */
export const regportal = /** @type {typeof ours} */ (
  global.regportal?.choose ? global.regportal : ours
)

if (globalThis.document && regportal === ours) {
  global.regportal = ours
  if (global.document.prerendering)
    document.addEventListener('prerenderingchange', start, { once: true })
  else later(start)
}
