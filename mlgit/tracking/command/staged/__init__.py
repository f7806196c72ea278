"""What a pipeline's stages did, told to their run.

`staged` hears of each stage and hands on what it left: `versions` makes artifacts of outputs, `measured` metrics and
series of files, `drawn` pictures, tables and charts of plots, `code` takes what git will hold. `ground` is where all of
that lies.
"""
