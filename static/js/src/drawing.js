// What a gate looks like, drawn from its JSON: plain labelled HTML with the hooks of the page.

/** @typedef {import('./asking.js').Asked} Asked */
/** @typedef {import('./asking.js').Shell} Shell */
/** @typedef {import('./asking.js').Question} Question */
/** @typedef {Node | string | null | undefined | false | 0 | ''} Child */

const FEW = 6
const FILLS = /** @type {Record<string, string>} */ ({
  company: 'organization',
  'job-title': 'organization-title',
  phone: 'tel',
  country: 'country',
})

/**
 * @param {string} name
 * @param {Record<string, string | boolean | null | undefined>} attributes
 * @param {...Child} inside
 */
export function make(name, attributes, ...inside) {
  const made = document.createElement(name)
  for (const [key, value] of Object.entries(attributes))
    if (typeof value === 'string' || value) made.setAttribute(key, value === true ? '' : `${value}`)
  for (const one of inside) if (one) made.append(one)
  return made
}

/**
 * A marketer's text, which may be in a language that is written the other way round.
 * @param {string} text
 */
export const theirs = text => make('bdi', {}, text)

/**
 * A word as a sentence begins with it.
 * @param {string} text
 */
const begun = ([first = '', ...rest]) => first.toLocaleUpperCase() + rest.join('')

/**
 * The form: the address or one question, a newsletter, and the buttons.
 * @param {Asked} asked
 * @param {Shell} shell
 * @param {{ id: string, gated: string | undefined, mayRemember: boolean }} how `gated`: its class, for search engines
 */
export function form(
  { email, question, newsletter },
  { words, kiosk },
  { id, gated, mayRemember },
) {
  /**
   * @param {string} says
   * @param {Record<string, string>} [more]
   */
  const button = (says, more) => make('button', { type: 'submit', part: 'button', ...more }, says)
  const buttons = email
    ? [
        // The first one is what Enter presses: whoever does not choose is not remembered.
        button(words.once ?? '', { name: 'remember', value: 'no' }),
        mayRemember && button(words.remember ?? '', { name: 'remember', value: 'yes' }),
      ]
    : [
        button(words.get ?? ''),
        question &&
          !question.required &&
          button(words.decline ?? '', { name: 'decline', value: 'yes', part: 'button second' }),
      ]
  return make(
    'form',
    { 'data-rp': 'gate', part: 'form', class: gated, method: 'post', novalidate: true },
    email &&
      line(
        { id: `${id}-email`, label: words.email ?? '', hint: words.hint },
        make('input', {
          name: 'email',
          type: 'email',
          maxlength: '254',
          autocomplete: kiosk ? 'off' : 'email',
        }),
      ),
    question && asking(question, words, `${id}-question`),
    newsletter &&
      make(
        'label',
        { part: 'newsletter option' },
        make('input', { type: 'checkbox', name: `n-${newsletter.key}`, value: 'yes', part: 'box' }),
        make(
          'span',
          {},
          theirs(newsletter.wording),
          ' ',
          make(
            'small',
            { part: 'hint' },
            newsletter.frequency && theirs(begun(`${newsletter.frequency}.`)),
            newsletter.frequency && ' ',
            words.stop,
          ),
        ),
      ),
    make('div', { part: 'buttons' }, ...buttons),
    question && !question.required && make('p', { part: 'note' }, words.either_way),
  )
}

/**
 * Links that open beside the page; a shell that a cache keeps from the release before lacks words.
 * @param {...[href: string, says: string | undefined]} links
 */
export const aside = (...links) =>
  make(
    'p',
    { part: 'note' },
    ...links
      .filter(([, says]) => says)
      .flatMap(([href, says], nth) => [
        nth > 0 && ' · ',
        make('a', { href, target: '_blank', rel: 'noopener' }, says),
      ]),
  )

/**
 * What is in it, before the form is sent and after.
 * @param {Shell} shell
 */
export const abstract = ({ abstract = [] }) =>
  abstract[0] &&
  make(
    'div',
    { part: 'abstract', 'data-rp': 'abstract' },
    ...abstract.map(paragraph => make('p', {}, theirs(paragraph))),
  )

/**
 * A film, played by the browser's own controls.
 * @param {{ url: string, asset: string, title: string, kept: boolean }} what `kept`: may it be saved?
 */
export const film = ({ url, asset, title, kept }) =>
  make('video', {
    controls: true,
    playsinline: true,
    preload: 'metadata',
    controlslist: !kept && 'nodownload',
    'aria-label': title,
    'data-rp-video': asset,
    src: url,
  })

/**
 * One line to type on, or one list to choose from.
 * @param {{ id: string, label: string, hint: string | null | undefined }} what
 * @param {HTMLElement} control
 */
function line({ id, label, hint }, control) {
  control.id = id
  control.part.add('input')
  control.setAttribute('required', '')
  if (hint) control.setAttribute('aria-describedby', `${id}-hint`)
  return make(
    'div',
    { part: 'field' },
    make('label', { for: id, part: 'label' }, theirs(label)),
    hint && make('p', { id: `${id}-hint`, part: 'hint' }, theirs(hint)),
    control,
  )
}

/**
 * The one question, and why it is asked.
 * @param {Question} question
 * @param {Record<string, string>} words
 * @param {string} id
 */
function asking({ key, label, why, type, choices }, words, id) {
  const name = `q-${key}`
  const hooks = { 'data-rp': 'question', 'data-question': key }
  const many = type === 'choices'
  if (choices && (many || choices.length <= FEW)) {
    const kind = many ? 'checkbox' : 'radio'
    return make(
      'fieldset',
      { ...hooks, id, part: 'question', 'aria-describedby': why && `${id}-hint` },
      make('legend', { part: 'label' }, theirs(label)),
      why && make('p', { id: `${id}-hint`, part: 'hint why' }, theirs(why)),
      ...choices.map(one =>
        make(
          'label',
          { part: 'option' },
          make('input', { type: kind, name, value: one.value, part: 'box' }),
          make('span', {}, theirs(one.label)),
        ),
      ),
    )
  }
  const autocomplete = FILLS[type]
  const kinds = /** @type {Record<string, string>} */ ({ date: 'date', phone: 'tel' })
  const control = choices
    ? make(
        'select',
        { name, autocomplete },
        make('option', { value: '' }, words.choose),
        ...choices.map(one => make('option', { value: one.value }, one.label)),
      )
    : make('input', {
        name,
        type: kinds[type] ?? 'text',
        inputmode: type === 'number' && 'decimal',
        autocomplete,
      })
  const drawn = line({ id, label, hint: why }, control)
  for (const [hook, value] of Object.entries(hooks)) drawn.setAttribute(hook, value)
  drawn.part.add('question')
  drawn.querySelector('[part=hint]')?.part.add('why')
  return drawn
}

/**
 * Say beside a field why it cannot be taken; return where the focus goes.
 * @param {HTMLElement} drawn
 * @param {string} name
 * @param {string} says
 */
export function complain(drawn, name, says) {
  const field = drawn.querySelector(`[name="${CSS.escape(name)}"]`)
  const place = field?.closest('fieldset, div')
  if (!(field instanceof HTMLElement) || !place) return null
  const described = place.localName === 'fieldset' ? place : field
  const id = `${described.id}-error`
  const ids = (described.getAttribute('aria-describedby') ?? '').split(' ')
  described.setAttribute('aria-describedby', [...ids, id].join(' ').trim())
  field.setAttribute('aria-invalid', 'true')
  place.append(make('p', { id, part: 'error', 'data-rp': 'error', 'data-field': name }, says))
  return field
}

/**
 * Take back what was said beside the fields.
 * @param {HTMLElement} drawn
 */
export function quiet(drawn) {
  for (const error of drawn.querySelectorAll('[data-rp=error]')) {
    const described = drawn.querySelector(`[aria-describedby~="${CSS.escape(error.id)}"]`)
    const ids = described?.getAttribute('aria-describedby')?.split(' ') ?? []
    described?.setAttribute('aria-describedby', ids.filter(id => id !== error.id).join(' '))
    error.remove()
  }
  for (const field of drawn.querySelectorAll('[aria-invalid]'))
    field.removeAttribute('aria-invalid')
}

/**
 * What was answered, as the portal takes it.
 * @param {FormData} data of the form, with the button that was pressed
 * @param {Asked} asked
 */
export function answers(data, { ask, email, question, newsletter }) {
  /** @param {string} name */
  const text = name => /** @type {string} */ (data.get(name) ?? '')
  const given = question && data.getAll(`q-${question.key}`)
  return {
    ask,
    ...(email && { email: text('email'), remember: text('remember') === 'yes' }),
    ...(question &&
      given?.length && {
        answers: { [question.key]: question.type === 'choices' ? given : given[0] },
      }),
    ...(newsletter && { newsletters: { [newsletter.key]: data.has(`n-${newsletter.key}`) } }),
    ...(data.has('decline') && { decline: true }),
  }
}

/**
 * Fill in what was typed before; a box for a newsletter is ticked anew or not at all.
 * @param {HTMLElement} drawn
 * @param {FormData} typed
 */
export function fillIn(drawn, typed) {
  for (const field of drawn.querySelectorAll('input, select')) {
    if (!(field instanceof HTMLInputElement || field instanceof HTMLSelectElement)) continue
    const given = field.name.startsWith('n-') ? [] : typed.getAll(field.name)
    if (field instanceof HTMLInputElement && /^(checkbox|radio)$/.test(field.type))
      field.checked = given.includes(field.value)
    else if (given[0]) field.value = `${given[0]}`
  }
}

/**
 * A sentence with a name in it, which may be written the other way round.
 * @param {string} says with `%(name)s` in it
 * @param {string} name
 */
export function named(says, name) {
  const [before, after] = says.split('%(name)s')
  return make('span', {}, before, make('bdi', {}, name), after)
}
