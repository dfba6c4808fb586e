"""Policy files as PyTorch modules: to look into, to fine-tune, and to take elsewhere as ONNX.

``lobgym.torch_policy.load("runs/maker")`` reads the policy of a run, or a policy file, as a :class:`PolicyModule`;
:func:`export_onnx` (``python -m lobgym.torch_policy export-onnx RUN FILE``) writes it for other runtimes. Acting needs neither:
``docs/python_policies.md`` says what is for what.
"""

try:
    import safetensors as _safetensors  # noqa: F401
    from torch import nn as _nn  # noqa: F401
except ImportError as error:
    raise ImportError(
        f"lobgym.torch_policy needs PyTorch and safetensors, and one of them is not installed ({error}): pip install 'lobgym[agents]'",
        name=error.name,
    ) from error

from lobgym.torch_policy.heads import Head, MultiCategorical, SimplexTransform
from lobgym.torch_policy.module import PolicyModule, load
from lobgym.torch_policy.onnx_export import export_onnx

__all__ = ["Head", "MultiCategorical", "PolicyModule", "SimplexTransform", "export_onnx", "load"]
