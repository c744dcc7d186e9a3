// What waits to be sent: how it is named, how much of it is kept, when it is tried again.

/** @typedef {{ object?: string, category?: string | undefined, properties?: unknown }} Details */
/** @typedef {Details & { id: string, type: string, occurred_at: string }} Interaction */

/** How long the first interaction waits for others. */
export const SOON = 2000

/** A new id that sorts by its time: a UUID of version 7. */
export function uuid7(now = Date.now()) {
  const time = now.toString(16).padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}-7${crypto.randomUUID().slice(15)}`
}

/**
 * What of a queue is kept: the newest of one day, 200 at most, 60 kB at most.
 * @param {Interaction[]} queue
 */
export function bounded(queue, now = Date.now()) {
  const since = new Date(now - 86_400_000).toISOString()
  const kept = queue.filter(one => one.occurred_at > since).slice(-200)
  while (new Blob([JSON.stringify(kept)]).size > 60_000) kept.shift()
  return kept
}

/**
 * Whether the portal may take later what it did not take now.
 * @param {number | undefined} status of its answer, if there was any
 */
export const mayTakeLater = (status = 500) => status === 429 || status > 499

/**
 * How long to wait before the portal is asked again, in milliseconds.
 * @param {number} tries that failed before
 * @param {string | null | undefined} after the seconds it asked for
 */
export function pause(tries, after) {
  return Number(after) * 1000 || SOON * 2 ** Math.min(tries, 7)
}
