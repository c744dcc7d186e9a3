// A stand's page: takes one form after the other, also without a line, and begins anew after each.
// It sets no cookie. What is typed lies in the queue until the portal has it, and nowhere else.

import { AT_ONCE, Pages, told as toldOf } from './src/pages.js'
import { body, isTooOld, MOST, verdict, Waiting } from './src/waiting.js'

/** @typedef {{ url: string, code: { size: number, path: string } }} Phone */
/** @typedef {import('./src/waiting.js').Form} Form */

const CACHE = 'regportal-stand'
const SVG = 'http://www.w3.org/2000/svg'
const AGAIN = 15_000 // until what waits is tried again
const PATIENCE = 8000 // so long a visitor waits for an answer: then his form waits by itself
const IDLE = 60_000 // of nothing, until we ask whether somebody is still there
const COUNT = 15 // seconds until we no longer wait for an answer to that
const THANKS = 90_000 // until the page is ready for the next one: time to take a photograph
const OLD = 600_000 // until a page that nobody uses is fetched anew

const page = document.documentElement
const address = location.pathname
const [kiosk] = document.querySelectorAll('main [data-stand]')
const place = /** @type {HTMLElement} */ (kiosk)
const waiting = new Waiting(place.dataset.stand ?? '')
/** @type {NodeListOf<HTMLAnchorElement>} */
const named = place.querySelectorAll('a[data-press="language"]')
const choices = [...named]
const pages = new Pages(waiting)
const opened = Date.now()
let moved = Date.now()
let busy = false
let isThanks = false

/**
 * @template {HTMLElement} T
 * @param {string} name
 * @returns {T}
 */
const part = name => /** @type {T} */ (place.querySelector(`[data-part="${name}"]`))

/** @param {string} name */
function show(name) {
  for (const one of place.querySelectorAll('[data-part][data-state]')) {
    const chosen = one.getAttribute('data-part') === name
    one.toggleAttribute('hidden', !chosen)
    if (chosen) one.querySelector('h1')?.focus()
  }
  scrollTo(0, 0)
}

/** Begin anew: a page in which nobody has typed anything. */
const anew = () => location.replace(address)

/** Go on in another language; nobody comes back to what was typed here. @param {MouseEvent} event */
function speak(event) {
  event.preventDefault()
  location.replace(/** @type {HTMLAnchorElement} */ (event.currentTarget).href)
}

/** The key comes with the address the first time, and is gone from it at once. */
async function takeKey() {
  if (location.hash.startsWith('#rps_')) {
    await waiting.keep('key', location.hash.slice(1))
    history.replaceState(null, '', address)
  }
  return waiting.about('key')
}

/** Forget everything of this stand: it is closed. */
async function close() {
  show('closed')
  await waiting.forget()
  await caches.delete(CACHE)
  for (const one of await navigator.serviceWorker.getRegistrations()) {
    if (one.scope.endsWith(address)) await one.unregister()
  }
}

/**
 * Send one form, or only how many wait.
 * @param {string} secret
 * @param {Form | undefined} form
 * @param {number} behind
 * @param {import('./src/pages.js').Page[]} left
 */
async function send(secret, form, behind, left = []) {
  return fetch(`${address}/forms`, {
    method: 'POST',
    credentials: 'omit',
    headers: { Authorization: `Bearer ${secret}` },
    body: form
      ? body(form, behind)
      : new URLSearchParams([['waiting', `${behind}`], ...toldOf(left)]),
    signal: AbortSignal.timeout(PATIENCE),
  }).catch(() => undefined)
}

/**
 * Send what waits, the oldest first, until there is no line; return what became of one of them.
 * @param {string} [wanted] its key
 * @returns {Promise<{ status: number, told: any } | undefined>}
 */
async function flush(wanted) {
  const secret = await waiting.about('key')
  if (!secret) return
  const forms = await waiting.all()
  /** @type {{ status: number, told: any } | undefined} */
  let found
  for (const [index, [at, form]] of forms.entries()) {
    if (isTooOld(form)) {
      await drop(at)
      continue
    }
    const answer = await send(secret, form, forms.length - index - 1)
    const means = verdict(answer?.status)
    if (means === 'closed') {
      await close()
      return { status: 401, told: null }
    }
    if (means === 'later') break
    const told = await answer?.json().catch(() => null)
    const own = form.key === wanted
    if (means === 'refused' && !own) await drop(at)
    else await waiting.drop(at)
    if (own) found = { status: answer?.status ?? 0, told }
  }
  await tell()
  return found
}

/** @param {IDBValidKey} at of a form that nobody will ever take */
async function drop(at) {
  await waiting.drop(at)
  await lose()
}

/** Count that a form was lost, for whoever looks after the stand. */
async function lose() {
  await waiting.keep('lost', ((await waiting.about('lost')) ?? 0) + 1)
  await pages.lose()
}

/** Let one page at a time send. */
async function sendAll(/** @type {string | undefined} */ wanted = undefined) {
  return navigator.locks.request(waiting.name, () => flush(wanted))
}

/** Say how many wait, for whoever looks after the stand. */
async function tell() {
  const { length } = await waiting.all()
  const lost = (await waiting.about('lost')) ?? 0
  const status = part('status')
  const line = navigator.onLine ? status.dataset.online : status.dataset.offline
  const many = length ? `${status.dataset.waiting} ${length}` : undefined
  const gone = lost ? `${status.dataset.lost} ${lost}` : undefined
  const says = [line, many, gone].filter(Boolean).join(' · ')
  if (status.textContent !== says) status.textContent = says
  status.dataset.count = `${length}`
}

/**
 * Say what has to be put right, beside its field.
 * @param {HTMLFormElement} form
 * @param {string} says
 * @param {string} [field]
 */
function complain(form, says, field) {
  const error = part('error')
  error.textContent = says
  error.hidden = false
  const named = field ? form.elements.namedItem(field) : null
  const wrong = named instanceof RadioNodeList ? named[0] : named
  for (const one of form.querySelectorAll('[aria-invalid]')) one.removeAttribute('aria-invalid')
  if (wrong instanceof HTMLElement) {
    wrong.setAttribute('aria-invalid', 'true')
    const described = wrong.getAttribute('aria-describedby')?.split(' ') ?? []
    wrong.setAttribute('aria-describedby', [...new Set([...described, error.id])].join(' '))
    const around = wrong.closest('.field, .question') ?? wrong
    around.append(error)
    wrong.focus()
  } else {
    form.prepend(error)
    error.focus()
  }
}

/**
 * Draw the code that a telephone reads.
 * @param {Phone} phone
 */
function draw({ url, code }) {
  const drawn = document.createElementNS(SVG, 'svg')
  const label = part('phone').dataset.label ?? ''
  const attributes = { viewBox: `0 0 ${code.size} ${code.size}`, role: 'img', 'aria-label': label }
  for (const [name, value] of Object.entries(attributes)) drawn.setAttribute(name, value)
  const path = document.createElementNS(SVG, 'path')
  path.setAttribute('d', code.path)
  drawn.append(path)
  part('code').replaceChildren(drawn)
  part('address').textContent = url
  part('phone').hidden = false
}

/** @param {SubmitEvent} event */
async function submit(event) {
  event.preventDefault()
  const form = /** @type {HTMLFormElement} */ (event.target)
  const email = /** @type {HTMLInputElement} */ (form.elements.namedItem('email'))
  if (busy) return
  if (!email.value.trim() || !email.validity.valid) {
    complain(form, place.dataset.address ?? '', 'email')
    return
  }
  const { length } = await waiting.all()
  if (length >= MOST || !(await waiting.about('key'))) {
    complain(form, (length >= MOST ? place.dataset.full : place.dataset.keyless) ?? '')
    return
  }
  busy = true
  form.setAttribute('aria-busy', 'true')
  const fields = [...new FormData(form)].map(([name, value]) => [name, `${value}`])
  const key = crypto.randomUUID()
  await waiting.add({ key, at: Date.now(), fields: /** @type {[string, string][]} */ (fields) })
  await pages.give()
  const soon = new Promise(resolve => setTimeout(resolve, PATIENCE, undefined))
  const sending = sendAll(key)
  const became = await Promise.race([sending, soon])
  if (!became) sending.then(late => (late && late.status !== 200 ? lose() : undefined))
  busy = false
  form.removeAttribute('aria-busy')
  if (became?.status === 401) return
  if (became && became.status !== 200) pages.touch('begun')
  if (became && became.status !== 200) {
    complain(form, became.told?.detail ?? place.dataset.address ?? '', became.told?.field)
    return
  }
  form.reset()
  thank(became?.told?.phone, became !== undefined)
}

/**
 * @param {Phone | null | undefined} phone
 * @param {boolean} isThere whether the portal has it
 */
function thank(phone, isThere) {
  isThanks = true
  moved = Date.now()
  part('sent').hidden = !isThere
  part('later').hidden = isThere
  if (phone) draw(phone)
  show('thanks')
  tell()
}

/** Somebody has left in the middle: ask, and begin anew where nobody answers. */
function ask() {
  const dialog = /** @type {HTMLDialogElement} */ (part('still'))
  if (dialog.open) return
  dialog.showModal()
  let left = COUNT
  const count = part('count')
  count.textContent = `${left}`
  const each = setInterval(() => {
    left -= 1
    count.textContent = `${left}`
    if (left <= 0) anew()
  }, 1000)
  dialog.addEventListener('close', () => clearInterval(each), { once: true })
}

/** @param {HTMLFormElement} form */
const isTouched = form =>
  [...new FormData(form)].some(([name, value]) => name !== 'sheet' && `${value}` !== '')

/** Look whether somebody is there. */
function look() {
  const form = part('form')
  if (!(form instanceof HTMLFormElement) || busy) return
  const still = Date.now() - moved
  if (isThanks) {
    if (still > THANKS) anew()
  } else if (isTouched(form)) {
    if (still > IDLE) ask()
  } else if (still > IDLE) {
    if (pages.open) pages.leave()
    if (location.search || (navigator.onLine && Date.now() - opened > OLD)) anew()
  }
}

/** Keep what the page is made of, so that it opens without a line. */
async function beKept() {
  const factory = /** @type {any} */ (globalThis).trustedTypes
  const worker = new URL('./worker.js', location.origin + address).pathname
  const policy = factory?.createPolicy('regportal-kiosk', {
    createScriptURL: (/** @type {string} */ given) => (given === worker ? given : ''),
  })
  const url = policy ? policy.createScriptURL(worker) : worker
  await navigator.serviceWorker.register(url, { scope: address })
  const made = performance.getEntriesByType('resource').map(one => one.name)
  const ours = made.filter(one => /\.(css|js)$/.test(one) && one.startsWith(location.origin))
  const kept = await caches.open(CACHE)
  const spoken = choices.map(one => one.href)
  await kept.addAll([address, ...spoken, ...ours])
}

async function begin() {
  if (place.dataset.closed !== undefined) {
    await close()
    return
  }
  const key = await takeKey()
  if (location.search) await pages.resume()
  else await pages.leave()
  part('form').addEventListener('submit', submit)
  part('keyless').hidden = Boolean(key)
  part('ready').removeAttribute('disabled')
  for (const one of place.querySelectorAll('[data-press="anew"]')) {
    one.addEventListener('click', anew)
  }
  for (const one of choices) one.addEventListener('click', speak)
  for (const type of ['pointerdown', 'keydown', 'input']) {
    addEventListener(type, () => {
      moved = Date.now()
      if (key && !busy && !part('ask').hidden) pages.touch(type === 'input' ? 'begun' : 'shown')
    })
  }
  for (const type of ['online', 'offline']) addEventListener(type, tell)
  addEventListener('online', () => sendAll())
  addEventListener('pageshow', event => event.persisted && anew())
  setInterval(look, 1000)
  setInterval(sendAll, AGAIN, undefined)
  page.dataset.ready = ''
  await tell()
  if (navigator.onLine && !location.search)
    await beKept().catch(() => console.info('regportal: not kept offline'))
  const { length } = await waiting.all()
  const closed = length ? (await sendAll())?.status === 401 : false
  if (key && !closed) await greet(key)
}

/**
 * Tell the portal that the tablet is there, and how far the visitors came who have gone.
 * @param {string} key
 */
async function greet(key) {
  const left = (await pages.all()).slice(0, AT_ONCE)
  const { length } = await waiting.all()
  const means = verdict((await send(key, undefined, length, left))?.status)
  if (means === 'closed') await close()
  if (means === 'closed' || means === 'later') return
  if (left.length) await pages.forget(left)
  if (left.length === AT_ONCE) await greet(key)
}

begin()
