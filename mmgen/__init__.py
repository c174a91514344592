"""mmgen: a multimodal generator built from nothing, as a course and a library.

Importing the package alone imports neither torch nor matplotlib.
"""

__version__ = "0.1.0"
