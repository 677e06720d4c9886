// Automatic logoff, as a signed-in page tells of it: a warning a minute before, and a cover over what would otherwise stand
// there for anybody to read. The server ends the session, at the same time and without this script too.
(() => {
  'use strict'
  const { left, who } = document.body.dataset
  const warning = document.getElementById('logoff'), cover = document.getElementById('covered')
  if (!who || !warning) return
  const warnAt = 60, again = 10 // seconds; while all is well, the server is asked once in a warnAt
  const said = warning.querySelector('output')
  let seconds = Number(left), since = { clock: performance.timeOrigin, watch: 0 } // no later than the server counted them
  let checked = performance.now(), asking = null, covered = null, dismissed = false

  // Of two clocks, one goes on while the machine sleeps and the other can't be set: whichever went further counts.
  const passed = from => Math.max(Date.now() - from.clock, performance.now() - from.watch) / 1000
  const remaining = () => seconds - passed(since)
  const typed = () => !document.dispatchEvent(new CustomEvent('unsaved', { cancelable: true }))

  // The page is hidden, not taken away: what was typed stays in its fields.
  const hide = state => {
    if (!covered) {
      warning.close()
      covered = { focus: document.activeElement, scroll: scrollY, title: document.title }
      document.title = cover.querySelector('h1').textContent
      document.body.classList.add('covered')
      cover.showModal()
    }
    cover.querySelectorAll('[data-when]').forEach(part => { part.hidden = part.dataset.when !== state })
  }
  const show = () => {
    if (!covered) return
    // What asks for its progress by itself has stopped doing so.
    if (document.querySelector('[hx-trigger^=load]') && !typed()) return location.reload()
    const { focus, scroll, title } = covered
    covered = null
    document.title = title
    document.body.classList.remove('covered')
    cover.close()
    scrollTo(0, scroll)
    focus.focus({ preventScroll: true })
  }
  const leave = path => {
    hide('checking')
    document.dispatchEvent(new Event('discard'))
    location.replace(path)
  }

  const countDown = () => {
    const n = Math.max(0, Math.ceil(remaining()))
    warning.querySelector('.countdown').textContent = `${Math.floor(n / 60)}:${String(n % 60).padStart(2, '0')}`
    if (n <= 30) said.textContent = n <= 10 ? said.dataset.ten : said.dataset.thirty
  }
  const warn = more => {
    warning.querySelectorAll('[data-extends]').forEach(part => { part.hidden = String(more) !== part.dataset.extends })
    if (warning.open || dismissed) return
    said.textContent = ''
    countDown()
    warning.showModal()
  }

  // What follows from what the server says; null when it couldn't be reached.
  const follow = answer => {
    if (!answer) return remaining() > 0 && remaining() <= warnAt && !covered ? warn(true) : undefined
    if (answer.who && answer.who !== who) return leave('/')
    if (!answer.who) return typed() ? hide('kept') : leave('/sign-in?next=' + encodeURIComponent(location.pathname + location.search))
    show()
    if (answer.left <= warnAt) warn(answer.extends)
    else warning.close()
  }
  const ask = async (path, method) => {
    const from = { clock: Date.now(), watch: checked = performance.now() }
    try {
      const response = await fetch(path, { method, cache: 'no-store', redirect: 'error', signal: AbortSignal.timeout(8000) })
      const answer = response.ok ? await response.json() : null
      if (answer) { seconds = answer.left; since = from }
      return answer
    } catch { return null }
  }
  const check = (path = '/session?poll=1', method = 'GET') => asking ??= ask(path, method).then(answer => { asking = null; follow(answer) })

  const tick = () => {
    const quiet = (performance.now() - checked) / 1000
    if (remaining() <= 0 && !covered) { hide('checking'); check() }
    else if (covered || remaining() <= warnAt) { if (quiet >= again || !covered && !warning.open && !dismissed && quiet >= 1) check() }
    else if (quiet >= warnAt && document.visibilityState === 'visible') check()
    if (warning.open) countDown()
  }
  const wake = () => {
    if (document.visibilityState !== 'visible') return
    if (remaining() <= 0) hide('checking')
    check()
  }
  setInterval(tick, 1000)
  document.addEventListener('visibilitychange', wake)
  for (const type of ['focus', 'online']) addEventListener(type, wake)
  // A page that the browser kept may be of a session that ended since: it is covered until the server says that it goes on.
  addEventListener('pageshow', event => {
    if (!event.persisted) return
    hide('checking')
    check()
  })

  warning.querySelector('[name=stay]').addEventListener('click', async () => { await asking; check('/session', 'POST') })
  warning.querySelector('[name=until]').addEventListener('click', () => { dismissed = true; warning.close() })
  warning.addEventListener('cancel', event => { event.preventDefault(); warning.querySelector('button[data-extends]:not([hidden])').click() })
  cover.addEventListener('cancel', event => event.preventDefault())
  cover.addEventListener('close', () => { if (covered) cover.showModal() }) // a second Escape closes it all the same

  // A session that ended elsewhere must not cost what was typed into a form that leaves the page: before it is sent, the server says
  // whether its writer is still in. Where it doesn't say so soon, the form is sent all the same.
  let sure = null, wondering = false
  addEventListener('submit', async event => {
    const { target: form, submitter } = event
    if (form === sure || form.getAttribute('method') !== 'post' || form.matches('[hx-post]') || !typed()) return
    event.preventDefault()
    event.stopImmediatePropagation()
    if (wondering) return
    wondering = true
    await Promise.race([check(), new Promise(late => setTimeout(late, 2000))])
    wondering = false
    if (covered) return
    sure = form
    form.requestSubmit(submitter)
    sure = null
  }, true)

  // Under the cover nothing is sent; and an answer that would lead to the sign-in page keeps what was typed here instead.
  document.addEventListener('htmx:before:request', event => { if (covered) event.preventDefault() })
  document.addEventListener('htmx:before:response', event => {
    if (!/^\/(sign-in|second-step)\b/.test(event.detail.ctx.hx.redirect)) return
    event.preventDefault()
    check()
  })
})()
