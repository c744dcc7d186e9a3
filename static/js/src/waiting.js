// What waits on a stand's tablet: forms in the order in which they were given, until the portal has
// them, and the key of the stand. IndexedDB keeps it over a reload and a restart; nothing of it is
// encrypted, since the key would lie beside it. docs/kiosk.md

/** @typedef {{ key: string, at: number, fields: [string, string][] }} Form */
/** @typedef {'done' | 'refused' | 'closed' | 'later'} Verdict */

/** How many forms wait at most: then the tablet says that it is full. */
export const MOST = 500
/** How long one waits at most, in milliseconds: seven days (regportal/kiosk/rules.py). */
export const WAITS = 7 * 86_400_000
const DAY = 86_400_000

/**
 * What an answer of the portal means for the form that was sent.
 * @param {number | undefined} status of its answer, if there was any
 * @returns {Verdict}
 */
export function verdict(status) {
  if (status === 200) return 'done'
  if (status === 401) return 'closed'
  return [400, 409, 413, 422].includes(status ?? 0) ? 'refused' : 'later'
}

/**
 * Whether a form has waited for too long. A clock that was set back by more than a day says
 * nothing; one that is a little behind is a form of just now.
 * @param {Form} form
 */
export const isTooOld = (form, now = Date.now()) => now - form.at > WAITS || form.at - now > DAY

/**
 * How long a form has waited, in whole seconds.
 * @param {Form} form
 */
export const waited = (form, now = Date.now()) => Math.max(0, Math.round((now - form.at) / 1000))

/**
 * What is sent of a form.
 * @param {Form} form
 * @param {number} waiting how many others stay behind
 */
export function body(form, waiting, now = Date.now()) {
  const also = { key: form.key, waited: `${waited(form, now)}`, waiting: `${waiting}` }
  return new URLSearchParams([...form.fields, ...Object.entries(also)])
}

/**
 * @template T
 * @param {IDBRequest<T>} asked
 * @returns {Promise<T>}
 */
function answered(asked) {
  return new Promise((resolve, reject) => {
    asked.onsuccess = () => resolve(asked.result)
    asked.onerror = () => reject(asked.error)
  })
}

/** The forms that wait at one stand, and its key. */
export class Waiting {
  /** @param {string} stand its id */
  constructor(stand) {
    this.name = `regportal-stand-${stand}`
    /** @type {Promise<IDBDatabase> | undefined} */
    this.opened = undefined
  }

  open() {
    this.opened ??= new Promise((resolve, reject) => {
      const asked = indexedDB.open(this.name, 1)
      asked.onupgradeneeded = () => {
        asked.result.createObjectStore('forms', { autoIncrement: true })
        asked.result.createObjectStore('about')
      }
      asked.onsuccess = () => resolve(asked.result)
      asked.onerror = () => reject(asked.error)
    })
    return this.opened
  }

  /**
   * @param {'forms' | 'about'} name
   * @param {IDBTransactionMode} mode
   */
  async store(name, mode = 'readwrite') {
    const base = await this.open()
    return base.transaction(name, mode, { durability: 'strict' }).objectStore(name)
  }

  /** @param {Form} form */
  async add(form) {
    const forms = await this.store('forms')
    forms.add(form)
    await new Promise((resolve, reject) => {
      forms.transaction.oncomplete = resolve
      forms.transaction.onabort = () => reject(forms.transaction.error)
    })
  }

  /** @returns {Promise<[IDBValidKey, Form][]>} the forms that wait, the oldest first */
  async all() {
    const forms = await this.store('forms', 'readonly')
    const [keys, values] = await Promise.all([
      answered(forms.getAllKeys()),
      answered(forms.getAll()),
    ])
    return keys.map((key, at) => [key, values[at]])
  }

  /** @param {IDBValidKey} at */
  async drop(at) {
    await answered((await this.store('forms')).delete(at))
  }

  /**
   * @param {string} name
   * @returns {Promise<any>}
   */
  async about(name) {
    return answered((await this.store('about', 'readonly')).get(name))
  }

  /**
   * @param {string} name
   * @param {any} value
   */
  async keep(name, value) {
    await answered((await this.store('about')).put(value, name))
  }

  /** Forget all of it: the stand is closed. */
  async forget() {
    ;(await this.open()).close()
    this.opened = undefined
    await answered(indexedDB.deleteDatabase(this.name))
  }
}
