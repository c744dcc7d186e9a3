import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KEPT, Pages, told } from '../../static/js/src/pages.js'

const NOON = Date.UTC(2026, 2, 4, 12)

/** What lies beside the forms, in memory. @returns {any} */
function kept() {
  const all = new Map()
  return {
    about: async (/** @type {string} */ name) => all.get(name),
    keep: async (/** @type {string} */ name, /** @type {any} */ value) => void all.set(name, value),
  }
}

test('a page says when it was touched and how far its visitor came, and nothing else', () => {
  assert.deepEqual(told([{ key: 'k', at: NOON, reached: 'begun' }], NOON + 90_400), [
    ['page', 'k 90 begun'],
  ])
  assert.deepEqual(told([{ key: 'k', at: NOON, reached: 'shown' }], NOON - 5000), [
    ['page', 'k 0 shown'],
  ])
})

test('a page that was left counts once, as far as its visitor came', async () => {
  const pages = new Pages(kept())
  pages.touch('shown')
  pages.touch('begun')
  pages.touch('shown')
  await pages.leave()
  await pages.leave()

  assert.deepEqual(
    (await pages.all()).map(one => one.reached),
    ['begun'],
  )
})

test('a page whose form was sent is not told of', async () => {
  const pages = new Pages(kept())
  pages.touch('begun')
  await pages.give()
  await pages.leave()

  assert.deepEqual(await pages.all(), [])
})

test('what the portal knows is forgotten, and the oldest where there are too many', async () => {
  const pages = new Pages(kept())
  for (let each = 0; each < KEPT + 2; each += 1) await pages.lose()
  const all = await pages.all()
  await pages.forget(all.slice(1))

  assert.equal(all.length, KEPT)
  assert.deepEqual(await pages.all(), all.slice(0, 1))
})
