// The Studio's colours: as somebody chose, or else as the device has them. Runs before anything is drawn.
;(() => {
  const page = document.documentElement
  const dark = matchMedia('(prefers-color-scheme: dark)')
  const show = () => {
    page.dataset.bsTheme = page.dataset.theme || (dark.matches ? 'dark' : 'light')
  }
  dark.addEventListener('change', show)
  show()
})()
