"""What the registry's history comes to, from git alone: tags, and the commits that changed `registry/`.

`changes` reads commits; `happened` tells both as one account, and `standing` what was live at a moment (pure). `asked`
judges recorded gates again (pure), `live` derives one stage again and `verifying` all of them, `drift` compares that
with what targets run (pure).
"""
