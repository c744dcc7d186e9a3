// What of a film was really watched, from what a player says of itself now and then.

import { merged } from './films.js'

/** @typedef {import('./films.js').Stretch} Stretch */

/**
 * What a player says; it leaves out what has not changed.
 * @typedef {object} Said
 * @property {unknown} [position] in seconds of the film
 * @property {unknown} [duration] in seconds
 * @property {unknown} [rate] 2: twice as fast as life
 * @property {boolean | undefined} [playing]
 */

/** A player that was silent for longer may have been anywhere since; in seconds. */
const SILENT = 5
/** How much further than it said a player may be, because messages take a while; in seconds. */
const SLACK = 0.5
/** No film is longer than a day. */
const LONGEST = 86_400
/** The quickest that players offer is two; the portal takes three. */
const QUICKEST = 3

/**
 * @param {unknown} given
 * @returns {given is number}
 */
const isTime = given => typeof given === 'number' && given >= 0 && given <= LONGEST

export class Watching {
  /** @type {Stretch[]} */
  stretches = []
  duration = Number.NaN
  playing = false
  #rate = 1
  /** @type {{ position: number, moment: number } | undefined} */
  #last

  /**
   * Hear a player. What it passed at the pace of a film was watched; a jump was not.
   * @param {Said} said
   * @param {number} moment at which it said so, in seconds
   */
  hear({ position, duration, rate, playing = this.playing }, moment) {
    if (isTime(duration) && duration) this.duration = duration
    if (isTime(position)) {
      this.#pass(position, moment)
      this.#last = playing ? { position, moment } : undefined
    } else if (!playing) this.#last = undefined
    if (isTime(rate)) this.#rate = Math.min(rate, QUICKEST)
    this.playing = playing
  }

  /**
   * @param {number} position
   * @param {number} moment
   */
  #pass(position, moment) {
    if (!this.#last) return
    const passed = position - this.#last.position
    const possible = Math.min(moment - this.#last.moment, SILENT) * this.#rate + SLACK
    if (passed > 0 && passed <= possible)
      this.stretches = merged([...this.stretches, [this.#last.position, position]])
  }
}
