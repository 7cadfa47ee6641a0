"""The page in the browser where people look and decide: `ecotone review`.

FastAPI serves json and pictures from the project's catalogue, on this computer alone unless told
otherwise; the page is plain JavaScript of our own and asks nobody else for anything.
"""
