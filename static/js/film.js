// A film on a page of ours: tells which of its seconds were really watched, each once. The page has
// this script only where the visitor allowed it; it keeps nothing in the browser. docs/recording.md

import { stretches, tenth, untold } from './src/films.js'
import { whyNot } from './src/kept.js'
import { mayTakeLater, uuid7 } from './src/queue.js'

/** @typedef {import('./src/films.js').Stretch} Stretch */

const address = new URL('../../api/v1/interactions', import.meta.url)
/** @type {HTMLVideoElement | null} */
const film = document.querySelector('video[data-rp-video]')
/** @type {Stretch[]} */
const told = []
/** @type {import('./src/queue.js').Interaction[]} what has not arrived yet: it goes again as it was */
let waiting = []

/** Tell what was watched since the last time, and what is still on its way. */
async function tell() {
  if (!film) return
  const watched = untold(stretches(film.played), told)
  if (watched[0]) {
    told.push(...watched)
    waiting.push({
      id: uuid7(),
      type: 'video_watch',
      object: film.dataset.rpVideo ?? '',
      properties: {
        watched,
        duration: Number.isFinite(film.duration) ? tenth(film.duration) : undefined,
      },
      occurred_at: new Date().toISOString(),
    })
  }
  const events = waiting.slice(0, 50)
  if (!events[0]) return
  const answer = await fetch(address, {
    method: 'POST',
    body: JSON.stringify({ events, sent_at: new Date().toISOString() }),
    keepalive: true,
  }).catch(() => null)
  if (!mayTakeLater(answer?.status)) waiting = waiting.filter(one => !events.includes(one))
}

if (film && !whyNot(navigator, { track: true })) {
  for (const type of ['pause', 'ended']) film.addEventListener(type, tell)
  addEventListener('pagehide', tell)
  addEventListener('visibilitychange', () => document.hidden && tell())
}
