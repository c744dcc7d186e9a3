// The demo's pages look once a second whether something new has happened, and show it.
// They are whole pages without this; it only saves pressing reload.

const EVERY = 1000

/** @returns {Promise<Document | null>} */
function again() {
  return new Promise(resolve => {
    const request = new XMLHttpRequest()
    request.responseType = 'document'
    request.timeout = 5 * EVERY
    request.onloadend = () => resolve(request.status === 200 ? request.responseXML : null)
    request.open('GET', location.pathname)
    request.send()
  })
}

/** @param {Document} fresh */
function show(fresh) {
  for (const old of document.querySelectorAll('[data-live]')) {
    const now = fresh.getElementById(old.id)
    if (now && now.innerHTML !== old.innerHTML) replace(old, now)
  }
}

/**
 * Put the new in the place of the old; who stood on a link of it, still does.
 * @param {Element} old
 * @param {Element} now
 */
function replace(old, now) {
  const active = document.activeElement
  const stood = old.contains(active) ? active?.getAttribute('href') : undefined
  if (stood === null) return // on a button: not under the finger
  old.replaceWith(document.adoptNode(now))
  const link = [...now.querySelectorAll('a')].find(one => one.getAttribute('href') === stood)
  link?.focus({ preventScroll: true })
}

async function look() {
  if (!document.hidden) {
    const fresh = await again()
    if (fresh) show(fresh)
  }
  setTimeout(look, EVERY)
}

setTimeout(look, EVERY)

export {}
