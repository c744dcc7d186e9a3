// Inside a framed page: tells the page around it how tall this one is, and what happened.
// Nothing about the person ever leaves: {v, type, height} and {v, type, state, known} are all it says.

const root = document.documentElement
if (window.name === 'regportal-dark') root.dataset.scheme = 'dark'

const { parent: origin, state, vouch } = root.dataset

/** @param {Record<string, unknown>} message */
function tell(message) {
  if (origin && window.parent !== window) window.parent.postMessage({ v: 1, ...message }, origin)
}

function measure() {
  tell({ type: 'height', height: Math.ceil(root.getBoundingClientRect().height) })
}

// Browsers do not lay out a frame of another site while it cannot be seen, and it is shown once
// the page knows how tall it is: the first time it is measured without being asked.
measure()
new ResizeObserver(measure).observe(root)

// Where a browser keeps no cookie of ours inside another site's page (WebKit), the page after a
// gate hands over a token. It is kept here, in the part of the storage that is this site's, where
// no other page reads it, and goes along with every form; a gate is asked for once more with it.
const NAME = 'regportal-visitor'
const { back, token: given } = root.dataset

/** @param {(storage: Storage) => string | null | void} use */
function each(use) {
  for (const name of /** @type {const} */ (['localStorage', 'sessionStorage'])) {
    try {
      const found = use(window[name])
      if (found) return found
    } catch {} // it may be forbidden
  }
}

if (given) {
  each(storage => storage.removeItem(NAME))
  each(storage => {
    if (storage === window.sessionStorage || 'lasting' in root.dataset) storage.setItem(NAME, given)
  })
}
const kept = each(storage => storage.getItem(NAME))

/** @param {HTMLFormElement} form */
function carry(form) {
  const field = document.createElement('input')
  Object.assign(field, { type: 'hidden', name: 'visitor', value: kept })
  form.append(field)
}

// Where somebody gave an address here, the page may say who its recorder is: by a token that only
// the portal reads. The frame tells the portal, and the page nothing (docs/decisions/0017).
/** @param {MessageEvent} event */
function hear({ source, origin: from, data }) {
  if (!vouch || source !== window.parent || from !== origin) return
  if (data?.v !== 1 || data.type !== 'handover' || typeof data.handover !== 'string') return
  const said = { handover: data.handover, came_from: origin, visitor: kept ?? undefined }
  fetch(vouch, { method: 'POST', body: JSON.stringify(said), keepalive: true }).catch(() => {})
}
addEventListener('message', hear)
tell({ type: 'state', state, known: vouch !== undefined })

if (kept) for (const form of document.forms) carry(form)
if (kept && back) {
  const form = document.createElement('form')
  Object.assign(form, { method: 'post', action: back })
  carry(form)
  document.body.append(form)
  form.submit()
}

// Browsers refuse `autofocus` in a frame of another origin; a form that came back has the focus already.
const wrong = document.querySelector('[data-focus]')
if (wrong instanceof HTMLElement && document.hasFocus()) wrong.focus()

export {}
