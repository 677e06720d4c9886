// The few lines of script that are ours. Every page works without them.
(() => {
  'use strict'
  const on = (type, then) => document.addEventListener(type, then)

  // A <button data-insert="{client_first_name}" data-insert-into="message"> puts its text where the cursor stands.
  // execCommand is the only way that keeps the field's undo history.
  on('click', event => {
    const button = event.target.closest('[data-insert]')
    const field = button && document.getElementById(button.dataset.insertInto)
    if (!field) return
    event.preventDefault()
    field.focus()
    if (!document.execCommand('insertText', false, button.dataset.insert)) {
      field.setRangeText(button.dataset.insert, field.selectionStart, field.selectionEnd, 'end')
      field.dispatchEvent(new Event('input', { bubbles: true }))
    }
  })

  // <input type="checkbox" data-select-all="on"> ticks every enabled checkbox of that name in its form. Each one
  // that moves says so by its own change event would mean 25 requests: one on the last is enough, as a form posts whole.
  const boxes = all => [...all.form.elements].filter(box => box.name === all.dataset.selectAll && !box.disabled)
  const sumUp = all => {
    const some = boxes(all), ticked = some.filter(box => box.checked).length
    all.disabled = !some.length
    all.checked = some.length > 0 && ticked === some.length
    all.indeterminate = ticked > 0 && ticked < some.length
  }
  // <output data-ticked="on"> says how many are ticked in its form; without script it stays empty.
  const count = output => {
    const n = output.form.querySelectorAll(`[name="${output.dataset.ticked}"]:checked`).length
    output.textContent = n ? `${n} ticked` : ''
  }
  const sumUpAll = () => {
    document.querySelectorAll('[data-select-all]').forEach(sumUp)
    document.querySelectorAll('[data-ticked]').forEach(count)
  }
  on('change', event => {
    const all = event.target
    if (!all.matches('[data-select-all]')) return sumUpAll()
    const changed = boxes(all).filter(box => box.checked !== all.checked)
    changed.forEach(box => { box.checked = all.checked })
    changed.at(-1)?.dispatchEvent(new Event('change', { bubbles: true }))
  })

  // A question of a form posts itself alone: what another window answered since isn't overwritten.
  on('htmx:config:request', event => {
    if (!event.target.matches('[data-question]')) return
    const own = new FormData()
    event.target.querySelectorAll('[name]:not(button, :disabled)').forEach(field => {
      if (field.checked || !['checkbox', 'radio'].includes(field.type)) own.append(field.name, field.value)
    })
    event.detail.ctx.request.body = own
  })

  // The answer carries the header  HX-Trigger: {"questions":{"asked":["id"],"notAsked":["id"]}}  which htmx turns into an
  // event on the form: questions appear and disappear with what they depend on.
  on('questions', event => {
    const show = (ids, asked) => (ids || []).forEach(id =>
      document.querySelector(`[data-question="${CSS.escape(id)}"]`)?.classList.toggle('not-asked', !asked))
    show(event.detail.asked, true)
    show(event.detail.notAsked, false)
  })

  // A question's Clear button empties it where it stands, and keeps the focus in it.
  on('click', event => {
    const button = event.target.closest('[data-question] button[name=":clear"]')
    if (!button) return
    event.preventDefault()
    const fields = [...button.closest('[data-question]').querySelectorAll('input:not([type=hidden])')]
    fields.forEach(field => { if (field.type === 'radio') field.checked = false; else field.value = '' })
    fields[0].focus()
    fields[0].dispatchEvent(new Event('change', { bubbles: true }))
  })

  // A form is sent once, however often it is clicked: the browser would drop the first answer, and with it the session's new cookie
  // that may be in it. It can be sent again when somebody comes back to the page, or when no other page has come for a while; soon
  // where the answer is a file, beside which the page stays: <button data-file>.
  const sent = new Set()
  on('submit', event => {
    const form = event.target
    if (event.defaultPrevented || form.method !== 'post') return // htmx sends it, or it only asks
    if (sent.has(form)) return event.preventDefault()
    sent.add(form)
    setTimeout(() => sent.delete(form), event.submitter?.matches('[data-file]') ? 2000 : 10000)
  })
  addEventListener('pageshow', () => sent.clear())

  // What was typed into a form that posts, and has not been saved. <form data-warn-unsaved>: leaving asks first, but only while
  // there is such. Where saving fails, an <output data-failed="Not saved yet …"> in the form says so, and a question is tried
  // again until it is saved.
  const unsaved = new Set(), saving = new Set(), failing = new Set()
  const formOf = event => event.target.closest?.('form[method=post]')
  const partOf = event => formOf(event) && (event.target.closest('[data-question]') || formOf(event))
  const writes = event => event.detail.ctx.request.method !== 'GET' && partOf(event)
  const sayFailed = part => {
    const status = part.closest('form').querySelector('output[data-failed]')
    if (status) status.textContent = status.dataset.failed
  }
  const tryAgain = part => { if (failing.has(part)) part.dispatchEvent(new Event('retry')) }
  const failed = event => {
    const part = partOf(event)
    if (!part) return
    saving.delete(part)
    unsaved.add(part)
    const { response, hx } = event.detail.ctx ?? {}
    if (response?.status < 500 && !hx?.redirect) return // the answer tells why; the same again would get the same
    failing.add(part)
    sayFailed(part)
    setTimeout(tryAgain, 10000, part)
  }
  on('input', event => { const part = event.target.type !== 'search' && partOf(event); if (part) unsaved.add(part) })
  on('submit', event => {
    if (!event.defaultPrevented) [unsaved, saving, failing].forEach(parts => parts.forEach(part => { if (event.target.contains(part)) parts.delete(part) }))
  })
  on('htmx:before:request', event => { const part = writes(event); if (part) { unsaved.delete(part); saving.add(part) } })
  on('htmx:after:request', event => {
    const part = partOf(event)
    saving.delete(part)
    if (event.detail.ctx.response.status < 500) failing.delete(part)
  })
  on('htmx:response:error', failed)
  on('htmx:error', failed)
  on('htmx:finally:request', event => { if (writes(event) && saving.has(partOf(event))) failed(event) }) // it was stopped on its way
  addEventListener('online', () => failing.forEach(tryAgain))
  addEventListener('beforeunload', event => {
    if ([...unsaved, ...saving].some(part => part.isConnected && part.closest('[data-warn-unsaved]'))) event.preventDefault()
  })
  // Who has to leave the page asks whether anything unsaved is on it, and gives it up. A form that came back holds what was
  // typed before.
  on('unsaved', event => {
    if ([...unsaved, ...saving].some(part => part.isConnected) || document.querySelector('form[data-unsaved], form [aria-invalid=true], .error-summary')) event.preventDefault()
  })
  on('discard', () => [unsaved, saving, failing].forEach(parts => parts.clear()))

  // A form that came back puts the focus where its first fault is, unless a summary or a field has asked for it.
  if (!document.querySelector('[autofocus]')) document.querySelector('.field .error:not(:empty)')?.closest('.field')?.querySelector('input, textarea, select')?.focus()

  // <input type="checkbox" data-show="password"> shows what is typed there; without script it stays hidden itself.
  document.querySelectorAll('[data-show]').forEach(box => { box.closest('label').hidden = false })
  on('change', event => {
    const field = event.target.matches('[data-show]') && document.getElementById(event.target.dataset.show)
    if (field) field.type = event.target.checked ? 'text' : 'password'
  })

  // <button data-copy="example"> copies what that says, and tells so; without script it stays hidden itself.
  document.querySelectorAll('[data-copy]').forEach(button => { button.hidden = false })
  on('click', async event => {
    const button = event.target.closest('[data-copy]')
    if (!button) return
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent)
    button.textContent = 'Copied'
  })

  // <button data-print> prints the page; without script it stays hidden itself.
  document.querySelectorAll('[data-print]').forEach(button => { button.hidden = false })
  on('click', event => { if (event.target.closest('[data-print]')) print() })

  // A button that asks for a passkey is shown by its own script, where there is one.
  const offerPasskeys = () => document.querySelectorAll('[data-passkey][hidden]').forEach(button =>
    import(button.dataset.script).then(passkeys => passkeys.offer(button)))
  offerPasskeys()

  // The account menu closes by Escape and by a click elsewhere.
  const closeMenus = except => document.querySelectorAll('details.account[open]').forEach(menu => { if (menu !== except) menu.open = false })
  on('click', event => closeMenus(event.target.closest('details.account')))
  on('keydown', event => {
    const menu = event.key === 'Escape' && event.target.closest('details.account[open]')
    if (menu) { menu.open = false; menu.querySelector('summary').focus() }
  })

  // Nothing that arrives in a fragment may bring a script.
  on('htmx:before:swap', event => event.detail.tasks?.forEach(task =>
    task.fragment?.querySelectorAll?.('script').forEach(script => script.remove())))
  // A question whose fault is gone is no longer marked as wrong.
  const clearFaults = () => document.querySelectorAll('[data-question] [aria-invalid]').forEach(field => {
    if (!field.closest('[data-question]').querySelector(':scope > [id$="-error"]')?.textContent.trim()) field.removeAttribute('aria-invalid')
  })
  on('htmx:after:swap', () => { sumUpAll(); offerPasskeys(); failing.forEach(sayFailed); clearFaults() })
  sumUpAll()
})()
