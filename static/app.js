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
  const sumUpAll = () => document.querySelectorAll('[data-select-all]').forEach(sumUp)
  on('change', event => {
    const all = event.target
    if (!all.matches('[data-select-all]')) return sumUpAll()
    const changed = boxes(all).filter(box => box.checked !== all.checked)
    changed.forEach(box => { box.checked = all.checked })
    changed.at(-1)?.dispatchEvent(new Event('change', { bubbles: true }))
  })

  // An autosave's answer carries the header  HX-Trigger: {"questions":{"asked":["id"],"notAsked":["id"]}}
  // which htmx turns into an event on the form: questions that no longer apply disappear and are not submitted.
  on('questions', event => {
    const show = (ids, asked) => (ids || []).forEach(id => {
      const question = document.querySelector(`[data-question="${CSS.escape(id)}"]`)
      if (!question) return
      question.hidden = !asked
      question.querySelectorAll('input, select, textarea').forEach(field => { field.disabled = !asked })
    })
    show(event.detail.asked, true)
    show(event.detail.notAsked, false)
  })

  // <form data-warn-unsaved>: leaving asks first, but only while something typed there has not been saved. When saving
  // fails, an <output data-failed="Not saved yet …"> in the form says so until the next answer replaces it.
  const unsaved = new Set()
  const formOf = event => event.target.closest?.('form[data-warn-unsaved]')
  const failed = event => {
    const form = formOf(event), status = form?.querySelector('output[data-failed]')
    if (form) unsaved.add(form)
    if (status) status.textContent = status.dataset.failed
  }
  on('input', event => { const form = formOf(event); if (form) unsaved.add(form) })
  on('submit', event => { if (!event.defaultPrevented) unsaved.delete(event.target) })
  on('htmx:before:request', event => unsaved.delete(formOf(event)))
  on('htmx:response:error', failed)
  on('htmx:error', failed)
  addEventListener('beforeunload', event => { if ([...unsaved].some(form => form.isConnected)) event.preventDefault() })

  // <input type="checkbox" data-show="password"> shows what is typed there; without script it stays hidden itself.
  document.querySelectorAll('[data-show]').forEach(box => { box.closest('label').hidden = false })
  on('change', event => {
    const field = event.target.matches('[data-show]') && document.getElementById(event.target.dataset.show)
    if (field) field.type = event.target.checked ? 'text' : 'password'
  })

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
  on('htmx:after:swap', sumUpAll)
  sumUpAll()
})()
