"""Estimators for scikit-learn: partial pooling as an encoder of categories, and as a regressor."""

try:
    from hiermix.sklearn.encoder import PooledEncoder
    from hiermix.sklearn.regressor import HierarchicalRegressor
except ImportError as error:
    raise ImportError(
        "hiermix.sklearn needs scikit-learn: pip install 'hiermix[sklearn]'"
    ) from error

__all__ = ["HierarchicalRegressor", "PooledEncoder"]
