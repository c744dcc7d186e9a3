// Lets a stand's page be opened without a line: what was fetched last is shown. It keeps the page and
// its styles and scripts, which are the same for everybody; nothing that anybody typed. docs/kiosk.md

const CACHE = 'regportal-stand'
const PATIENCE = 4000
const worker = /** @type {any} */ (globalThis)

worker.addEventListener('install', () => worker.skipWaiting())
worker.addEventListener('activate', (/** @type {any} */ event) =>
  event.waitUntil(worker.clients.claim()),
)
worker.addEventListener('fetch', (/** @type {any} */ event) => {
  const { method, url } = event.request
  if (method === 'GET' && new URL(url).origin === location.origin) {
    event.respondWith(newest(url, event.request.headers.get('Accept-Language')))
  }
})

/**
 * @param {string} url
 * @param {string | null} languages
 */
async function newest(url, languages) {
  const kept = await caches.open(CACHE)
  try {
    const answer = await fetch(url, {
      credentials: 'omit',
      signal: AbortSignal.timeout(PATIENCE),
      headers: languages ? { 'Accept-Language': languages } : {},
    })
    if (answer.ok) await kept.put(url, answer.clone())
    if (answer.status < 500) return answer
  } catch {
    // There is no line, or one that hardly moves.
  }
  const before = await kept.match(url, { ignoreVary: true })
  // A language that was not kept yet is shown in that of the stand, never as a browser's error.
  const own = before ?? (await kept.match(url, { ignoreVary: true, ignoreSearch: true }))
  return own ?? Response.error()
}
