# A door to workflow/Snakefile, for whoever names this file. An `include:` would lose its default target.
workflow.include("workflow/Snakefile", overwrite_default_target=True)
