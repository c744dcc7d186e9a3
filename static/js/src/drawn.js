// A gate drawn in the page itself: where the portal is on the page's own site.

import { find } from '../effort.js'
import { RefusedError } from './asking.js'
import {
  abstract,
  answers,
  aside,
  complain,
  fillIn,
  film,
  form,
  make,
  named,
  quiet,
  theirs,
} from './drawing.js'
import { keep, read } from './kept.js'

/** @typedef {import('./asking.js').Asked} Asked */
/** @typedef {import('./asking.js').Shell} Shell */
/** @typedef {import('./asking.js').Refused} Refused */

const NEXT = 15_000 // until a kiosk is ready for the next visitor

export class Drawn {
  /** @type {Asked | undefined} */
  asked
  busy = false
  ended = false
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  next

  /**
   * @param {HTMLElement} place that it fills
   * @param {import('./asking.js').Asking} asking
   * @param {{ tell: (state: string) => void, ready: (shell: Shell) => void }} says
   */
  constructor(place, asking, says) {
    this.place = place
    this.asking = asking
    this.says = says
    this.status = make('p', { part: 'status', role: 'status' })
    place.addEventListener('submit', this)
    place.addEventListener('click', this)
  }

  /** Ask, and draw; raises RefusedError where that cannot be. */
  async show() {
    const [asked, shell] = await Promise.all([this.asking.ask(), this.asking.shell()])
    if (this.ended) return
    this.shell = shell
    this.place.lang = shell.language
    this.place.dir = shell.direction
    this.says.ready(shell)
    this.draw(asked)
  }

  end() {
    this.ended = true
    this.film?.remove()
    clearTimeout(this.next)
    this.place.removeEventListener('submit', this)
    this.place.removeEventListener('click', this)
  }

  /** @param {Event} event */
  handleEvent(event) {
    const { target } = event
    if (event instanceof SubmitEvent && target instanceof HTMLFormElement) {
      event.preventDefault()
      if (!this.busy) this.submit(target, event.submitter)
    }
    if (target instanceof Element && target.closest('[data-rp=not-you]') && !this.busy)
      this.anew(async () => {
        await this.asking.notYou(this.asked?.ask ?? '')
      })
  }

  /**
   * Draw what is asked.
   * @param {Asked} asked
   */
  draw(asked) {
    const { shell } = this
    if (!shell) return
    this.asked = asked
    this.film?.remove()
    const { words, text, title, type } = shell
    const objects =
      /** @type {any} */ (navigator).globalPrivacyControl ||
      (shell.do_not_track && /** @type {any} */ (navigator).doNotTrack === '1')
    this.fill(
      asked.recognised && this.who(words.back),
      make('h2', { part: 'headline', tabindex: '-1' }, theirs(asked.headline)),
      text && make('p', { part: 'text' }, theirs(text)),
      make('p', { part: 'meta' }, theirs(title), ' · ', theirs(type)),
      form(asked, shell, {
        id: `rp-${this.asking.gate}`,
        gated: shell.abstract?.[0] && `regportal-${this.asking.gate}`,
        mayRemember: shell.remember && !objects,
      }),
      abstract(shell),
      make(
        'p',
        { part: 'note' },
        theirs(shell.site),
        ' · ',
        make('a', { href: shell.privacy_notice, target: '_blank', rel: 'noopener' }, words.privacy),
      ),
    )
    this.says.tell('asked')
  }

  /**
   * One step to be somebody else.
   * @param {string} [greeting]
   */
  who(greeting) {
    const notYou = { type: 'button', part: 'not-you', 'data-rp': 'not-you' }
    return make(
      'div',
      { part: 'who' },
      greeting && make('span', {}, greeting),
      make('button', notYou, this.shell?.words.not_you),
    )
  }

  /** @param {...import('./drawing.js').Child} inside */
  fill(...inside) {
    this.hush()
    this.place.replaceChildren()
    for (const one of [...inside, this.status]) if (one) this.place.append(one)
    this.place.removeAttribute('aria-busy')
  }

  /**
   * @param {HTMLFormElement} sent
   * @param {HTMLElement | null} pressed
   * @param {object} [more]
   */
  async submit(sent, pressed, more) {
    const { asked, shell } = this
    if (!asked || !shell) return
    quiet(sent)
    if (!more) this.hush()
    this.wait(sent, true)
    const body = answers(new FormData(sent, pressed), asked)
    try {
      const opened = await this.asking.answer({ ...body, ...more })
      if (body.remember) this.remember()
      if (this.ended) return
      if (opened.download) this.hand(opened.download, shell)
      else this.mailed(shell)
      this.says.tell('opened')
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error
      this.wait(sent, false)
      if (!this.ended) await this.refused(error.problem, sent, pressed)
    }
  }

  /** Let the page know him again; a choice that the portal has not heard yet was made before. */
  remember() {
    const { owed, ...kept } = read()
    if (owed) keep({ ...kept, owed: { ...owed, recognise: true } })
    else if (this.asking.byScript) keep({ ...kept, recognise: true })
  }

  /**
   * @param {Refused} problem
   * @param {HTMLFormElement} sent
   * @param {HTMLElement | null} pressed
   */
  async refused({ status, detail, field, effort }, sent, pressed) {
    const { words = {} } = this.shell ?? {}
    if (status === 429 && effort && globalThis.crypto?.subtle) {
      const { salt, goal, most } = effort
      const bar = /** @type {HTMLProgressElement} */ (
        make('progress', { max: '1', value: '0', 'aria-label': words.making_sure })
      )
      this.notice(words.crowded, bar)
      this.wait(sent, true)
      const number = await find(salt, goal, most, part => {
        bar.value = part
      })
      if (number !== null && !this.ended)
        return this.submit(sent, pressed, { effort: String(number) })
      this.wait(sent, false)
    }
    this.says.tell([409, 422, 429].includes(status) ? 'refused' : 'failed')
    const wrong = status === 422 && field && complain(sent, field, detail ?? '')
    if (wrong) wrong.focus()
    else if (status === 409) await this.anew(async () => {}, words.anew, new FormData(sent))
    else if (status === 422) this.notice(detail)
    else if (status === 429) this.notice(words.later)
    else this.notice(words.failed, this.link())
  }

  /**
   * Ask anew, after something was done; say why.
   * @param {() => Promise<void>} first
   * @param {string} [why]
   * @param {FormData} [typed] what is not to be typed again
   */
  async anew(first, why, typed) {
    const { words = {} } = this.shell ?? {}
    this.busy = true
    try {
      await first().catch(error => {
        if (error.problem?.status !== 409) throw error
      })
      const asked = await this.asking.ask()
      if (this.ended) return
      this.draw(asked)
      if (typed && !this.shell?.kiosk) fillIn(this.place, typed)
      if (why) this.notice(why)
      this.focus()
    } catch {
      this.says.tell('failed')
      this.notice(words.failed, this.link())
    } finally {
      this.busy = false
    }
  }

  /** The gate as a page of its own, which always works. */
  link() {
    const { page = '', title = '' } = this.shell ?? {}
    return make('a', { href: page }, title)
  }

  /** Take back what was said of the whole form. */
  hush() {
    this.status.textContent = ''
    this.status.part.remove('notice')
  }

  /**
   * @param {string | undefined} says
   * @param {Element} [more]
   */
  notice(says, more) {
    this.status.replaceChildren(says ?? '', ' ', ...(more ? [more] : []))
    this.status.part.add('notice')
  }

  /**
   * @param {HTMLFormElement} sent
   * @param {boolean} busy
   */
  wait(sent, busy) {
    this.busy = busy
    if (!this.status.part.contains('notice'))
      this.status.textContent = busy ? (this.shell?.words.wait ?? '') : ''
    for (const button of sent.querySelectorAll('button')) button.ariaDisabled = busy ? 'true' : null
    sent.ariaBusy = busy ? 'true' : null
  }

  /**
   * @param {import('./asking.js').Download} download
   * @param {Shell} shell
   */
  hand({ url, name, expires_at, asset, show, code_at }, shell) {
    const { words, title, type } = shell
    const plays = show !== 'download'
    const link = make(
      'a',
      { part: 'button download', 'data-rp': 'download', href: url, rel: 'noreferrer' },
      expires_at ? named(words.download ?? '', name) : words.go,
    )
    this.fill(
      make('h2', { part: 'headline done', tabindex: '-1' }, words.here),
      plays
        ? this.play(film({ url, asset, title, kept: show === 'both' }), title, expires_at)
        : make(
            'p',
            { part: 'text' },
            make('b', {}, theirs(title)),
            '. ',
            expires_at ? words.starts : words.elsewhere,
          ),
      show !== 'play' && link,
      make('p', { part: 'note' }, theirs(type)),
      code_at && aside([code_at, words.code]),
      abstract(shell),
      this.who(),
    )
    this.busy = false
    this.focus()
    if (expires_at && !plays) link.click()
  }

  /**
   * A film with its title. It lies in the page, not in the shadow, so that the recorder sees it.
   * @param {HTMLElement} shown
   * @param {string} title
   * @param {string | null} until when it plays; after that one press at the gate gives it anew
   */
  play(shown, title, until) {
    this.film = shown
    shown.addEventListener('error', () => {
      const { words = {} } = this.shell ?? {}
      if (until && Date.parse(until) < Date.now()) this.anew(async () => {}, words.over)
      else this.notice(words.failed, this.link())
    })
    /** @type {HTMLElement} */
    let inside = shown
    const root = this.place.getRootNode()
    if (root instanceof ShadowRoot) {
      shown.slot = 'film'
      root.host.append(shown)
      inside = make('slot', { name: 'film' })
    }
    return make('figure', {}, inside, make('figcaption', { part: 'text' }, theirs(title)))
  }

  /** @param {Shell} shell */
  mailed(shell) {
    const { words, title, page, kiosk, language } = shell
    const done = `${page}/done?lang=${language}`
    this.fill(
      make('h2', { part: 'headline done', tabindex: '-1' }, words.mailed),
      make(
        'p',
        { part: 'text', 'data-rp': 'mailed' },
        make('b', {}, theirs(title)),
        '. ',
        words.on_its_way,
      ),
      !kiosk && aside([done, words.code], [done, words.not_there]),
      abstract(shell),
      !kiosk && this.who(),
    )
    this.busy = false
    this.focus()
    if (kiosk) this.next = setTimeout(() => this.anew(async () => {}), NEXT)
  }

  focus() {
    const headline = this.place.querySelector('h2')
    headline?.focus({ preventScroll: headline.getBoundingClientRect().top >= 0 })
  }
}
