// A form that is sent with what a passkey answered: data-passkey says whether one is made or asked,
// data-options what for. Without this script a passkey cannot be used; a password always can.

/**
 * @param {HTMLFormElement} form
 * @returns {Promise<void>}
 */
async function ask(form) {
  const options = JSON.parse(form.dataset.options ?? '{}')
  const says = form.querySelector('[role=status]')
  try {
    const credential =
      form.dataset.passkey === 'create'
        ? await navigator.credentials.create({
            publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options),
          })
        : await navigator.credentials.get({
            publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options),
          })
    const field = /** @type {HTMLInputElement} */ (form.elements.namedItem('credential'))
    field.value = JSON.stringify(/** @type {PublicKeyCredential} */ (credential))
    form.submit()
  } catch {
    if (says) says.textContent = form.dataset.failed ?? ''
  }
}

for (const form of /** @type {NodeListOf<HTMLFormElement>} */ (
  document.querySelectorAll('form[data-passkey]')
)) {
  form.querySelector('button[type=button]')?.addEventListener('click', () => ask(form))
  ask(form)
}
