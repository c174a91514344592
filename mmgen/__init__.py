"""mmgen: a multimodal generator built from nothing, as a course and a library.

Importing the package alone imports neither torch nor matplotlib. Where another package of the same
name is in reach, the import warns and says which one, where it lies and what to do.
"""

__version__ = "0.1.0"


def _warn_of_others():
    import warnings

    from .installed import others

    for text in others():
        warnings.warn(text, UserWarning, stacklevel=3)


_warn_of_others()
