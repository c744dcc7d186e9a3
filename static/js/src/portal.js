// Where the portal is, and which of its gates a link leads to.

/**
 * The address regportal is served under, from the address of this script.
 * @param {string} script
 */
export function portalOf(script) {
  return new URL(script.slice(0, script.lastIndexOf('/static/') + 1))
}

/**
 * Whether a page and the portal look like one site, so that the portal's cookies may go along.
 * A guess: browsers know the public suffixes, and refuse where it is wrong.
 * @param {string} page
 * @param {string} portal host names, both
 */
export function isNear(page, portal) {
  const [one, other] = [page, portal].map(host => host.split('.').slice(-2).join())
  return one === other
}

/**
 * The gate a link leads to; undefined where it leads anywhere else.
 * @param {string} address
 * @param {URL} portal
 */
export function gateOf(address, portal) {
  const gates = `${portal}g/`
  return address.startsWith(gates) ? address.slice(gates.length).split(/[/?#]/)[0] : undefined
}
