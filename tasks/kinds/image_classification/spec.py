"""Image classification as the stages, the registry and the commands know it."""

from configs.image_encodings import ImageEncode

from ..spec import Kind

SPECS = {
    "image": Kind(
        ImageEncode.traits,
        "an image classifier",
        libraries=("pillow",),
        requirements=("pillow", "pyarrow"),
        tokens=False,
        exports=True,
    )
}
