// How the players of YouTube and Vimeo are asked to tell what they play, and what they tell: the
// messages of their documented players, without loading their scripts into the page.

/** @typedef {import('./watching.js').Said} Said */

/**
 * @typedef {object} Service
 * @property {string} origin of its player
 * @property {RegExp} links to its films: the film's id, and the key where it is an unlisted one
 * @property {(id: string, key: string | undefined, page: string) => string} path of its player
 * @property {object[]} greetings that ask it to tell
 * @property {(told: any) => Said | undefined} understand undefined where it is no message of its
 */

const YOUTUBE_PLAYS = 1
const YOUTUBE_LOADS = 3
const VIMEO_TELLS = ['play', 'pause', 'ended', 'timeupdate', 'playbackratechange']

/** @type {Service} */
const youtube = {
  origin: 'https://www.youtube-nocookie.com',
  links:
    /^https:\/\/(?:(?:(?:www|m)\.)?youtube(?:-nocookie)?\.com\/(?:watch\?(?:[^#]*&)?v=|embed\/|shorts\/|live\/)|youtu\.be\/)([\w-]{11})(?![\w-])/,
  path: (id, _, page) => `embed/${id}?enablejsapi=1&origin=${encodeURIComponent(page)}`,
  greetings: [{ event: 'listening', id: 1, channel: 'widget' }],
  understand({ event, info }) {
    if (event === 'onReady') return {}
    if (event !== 'initialDelivery' && event !== 'infoDelivery') return
    const { currentTime, duration, playbackRate, playerState } = info ?? {}
    const told = Number.isInteger(playerState) && playerState !== YOUTUBE_LOADS
    return {
      position: currentTime,
      duration,
      rate: playbackRate,
      playing: told ? playerState === YOUTUBE_PLAYS : undefined,
    }
  },
}

/** @type {Service} */
const vimeo = {
  origin: 'https://player.vimeo.com',
  links:
    /^https:\/\/(?:(?:www\.)?vimeo\.com\/|player\.vimeo\.com\/video\/)(\d+)(?:(?:\/|\?(?:[^#]*&)?h=)([\da-f]+))?(?![\w-])/,
  path: (id, key) => `video/${id}?dnt=1${key ? `&h=${key}` : ''}`,
  greetings: [
    ...VIMEO_TELLS.map(value => ({ method: 'addEventListener', value })),
    { method: 'getPaused' },
  ],
  understand({ event, method, value, data }) {
    if (event === 'ready') return {}
    if (method === 'getPaused') return { playing: value === false }
    if (!VIMEO_TELLS.includes(event)) return
    const { seconds, duration, playbackRate } = data ?? {}
    const playing = event === 'play' || (event === 'pause' || event === 'ended' ? false : undefined)
    return { position: seconds, duration, rate: playbackRate, playing }
  },
}

/**
 * The player for a link to a film; undefined where it leads anywhere else.
 * @param {string} link
 * @param {string} page the origin of the page it is shown in
 */
export function playerOf(link, page) {
  for (const service of [youtube, vimeo]) {
    const [, id, key] = service.links.exec(link) ?? []
    if (id) return { service, address: `${service.origin}/${service.path(id, key, page)}` }
  }
  return undefined
}

/**
 * A message as it was meant; players send text.
 * @param {unknown} data
 * @returns {Record<string, any>} empty where it is nothing of theirs
 */
export function opened(data) {
  try {
    const told = typeof data === 'string' ? JSON.parse(data) : data
    return told !== null && typeof told === 'object' ? told : {}
  } catch {
    return {}
  }
}
