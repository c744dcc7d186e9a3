// A button beside each snippet that copies it. Without this script the lines are marked by hand.

for (const snippet of /** @type {NodeListOf<HTMLElement>} */ (
  document.querySelectorAll('.snippet')
)) {
  const button = document.createElement('button')
  button.type = 'button'
  button.className = 'btn btn-outline-secondary btn-sm'
  button.textContent = snippet.dataset.copy ?? ''
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(snippet.querySelector('code')?.textContent ?? '')
    button.textContent = snippet.dataset.copied ?? ''
  })
  snippet.append(button)
}
