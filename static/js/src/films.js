// What of a film was really watched.

/** @typedef {[from: number, to: number]} Stretch in seconds of the film */

/**
 * What a `<video>` says was played of it.
 * @param {{ length: number, start: (nth: number) => number, end: (nth: number) => number }} played
 */
export const stretches = played =>
  Array.from(
    { length: played.length },
    (_, nth) => /** @type {Stretch} */ ([played.start(nth), played.end(nth)]),
  )

/** @param {number} seconds */
export const tenth = seconds => Math.round(seconds * 10) / 10

/**
 * Stretches in the order of the film; those that touch are one.
 * @param {Stretch[]} stretches
 */
export function merged(stretches) {
  /** @type {Stretch[]} */
  const found = []
  for (const [from, to] of stretches.toSorted((one, other) => one[0] - other[0])) {
    const last = found.at(-1)
    if (last && from <= last[1]) last[1] = Math.max(last[1], to)
    else found.push([from, to])
  }
  return found
}

/**
 * What of some stretches was not told yet; less than a second of it waits for more.
 * @param {Stretch[]} stretches
 * @param {Stretch[]} told
 */
export function untold(stretches, told) {
  let rest = merged(stretches.map(([from, to]) => [tenth(from), tenth(to)]))
  for (const [from, to] of told)
    rest = rest.flatMap(([start, end]) => [
      [start, Math.min(end, from)],
      [Math.max(start, to), end],
    ])
  return rest.filter(([from, to]) => to - from >= 1)
}
