// How far visitors come at a stand: a page counts once somebody touched it, and is told of when its
// visitor has gone without sending anything. It says when and how far, and nothing of who it was.

/** @typedef {{ key: string, at: number, reached: 'shown' | 'begun' }} Page */

/** So many are told of at once (regportal/kiosk/pages.py)… */
export const AT_ONCE = 50
/** …and so many kept at most while there is no line: the oldest go first. */
export const KEPT = 2000

/**
 * What is told of pages.
 * @param {Page[]} pages
 */
export const told = (pages, now = Date.now()) =>
  pages.map(({ key, at, reached }) => {
    const ago = Math.min(Math.max(0, Math.round((now - at) / 1000)), 999_999_999)
    return ['page', `${key} ${ago} ${reached}`]
  })

/** The pages of one stand; they are kept beside what waits there. */
export class Pages {
  /** @param {import('./waiting.js').Waiting} waiting */
  constructor(waiting) {
    this.waiting = waiting
    /** @type {Page | undefined} */
    this.open = undefined
    this.done = Promise.resolve()
  }

  /** @param {() => Promise<void>} work one after the other, for each reads what it writes */
  next(work) {
    this.done = this.done.then(work, work)
    return this.done
  }

  /** Go on with the page that was open before this one was loaded: only its language changed. */
  async resume() {
    this.open ??= await this.waiting.about('page')
  }

  /**
   * Somebody touched the page, or began to fill it in.
   * @param {'shown' | 'begun'} reached
   */
  touch(reached) {
    if (this.open && (this.open.reached === 'begun' || reached === 'shown')) return
    const { key, at } = this.open ?? { key: crypto.randomUUID(), at: Date.now() }
    const open = { key, at, reached }
    this.open = open
    this.next(() => this.waiting.keep('page', open))
  }

  /** The form of the page was sent: the portal counts it. */
  give() {
    this.open = undefined
    return this.next(() => this.waiting.keep('page', null))
  }

  /** Whoever stood before the page has gone. */
  leave() {
    this.open = undefined
    return this.next(async () => {
      const left = await this.waiting.about('page')
      if (!left) return
      await this.waiting.keep('pages', [...(await this.all()), left].slice(-KEPT))
      await this.waiting.keep('page', null)
    })
  }

  /** A form was sent and will never be taken: it was begun, and no more. */
  lose() {
    /** @type {Page} */
    const lost = { key: crypto.randomUUID(), at: Date.now(), reached: 'begun' }
    return this.next(async () =>
      this.waiting.keep('pages', [...(await this.all()), lost].slice(-KEPT)),
    )
  }

  /** @returns {Promise<Page[]>} those of which the portal was not told yet */
  async all() {
    return (await this.waiting.about('pages')) ?? []
  }

  /** @param {Page[]} known of which the portal was told */
  forget(known) {
    const keys = new Set(known.map(one => one.key))
    return this.next(async () =>
      this.waiting.keep(
        'pages',
        (await this.all()).filter(one => !keys.has(one.key)),
      ),
    )
  }
}
