"""What the registry's history comes to, from git alone: tags, and the commits that changed `registry/`.

`changes` reads commits, of which `branch` keeps a picture; `happened` tells tags and commits as one account, and
`standing` what was live at a moment (pure); `reading` takes up no more of both than somebody asks for. `asked` judges
recorded gates again (pure), `live` derives one stage again and `verifying` all of them, `drift` compares that with what
targets run (pure).
"""
