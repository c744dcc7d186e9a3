// Partial updates of the Studio's pages. It makes itself known as window.htmx.
import 'htmx.org/dist/htmx.esm.js'
