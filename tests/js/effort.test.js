import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'

import { find } from '../../static/js/effort.js'

/** @param {string} text */
const digest = text => createHash('sha256').update(text).digest('hex')

test('the number that makes the digest is found, wherever it lies', async () => {
  for (const number of [0, 1, 399, 400, 401, 999]) {
    const found = await find('salt', digest(`salt:${number}`), 1000, () => {})

    assert.equal(found, number)
  }
})

test('what is not there is not found, and all of it was looked through', async () => {
  /** @type {number[]} */
  const told = []
  const found = await find('salt', digest('another:1'), 1000, part => told.push(part))

  assert.equal(found, null)
  assert.deepEqual(told, [0.4, 0.8, 1])
})

test('another salt is another search', async () => {
  assert.equal(await find('other', digest('salt:7'), 50, () => {}), null)
})
