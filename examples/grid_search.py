"""The classifier and the embedding in scikit-learn: a grid search, a pipeline, cross-validation."""

import scanpy as sc
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gene_gcn import CellEmbedding, GeneGCNClassifier

cells = sc.datasets.pbmc68k_reduced()
X, y = cells.raw.to_adata().to_df(), cells.obs["bulk_labels"].astype(str)  # a row per cell, a column per gene

search = GridSearchCV(
    GeneGCNClassifier(random_state=0),
    {"network": ["coexpression", None], "class_weight": ["balanced", None]},
    cv=2,
).fit(X, y)
print(
    f"best of {len(search.cv_results_['params'])}: {search.best_params_}, accuracy {search.best_score_:.3f}"
)

embedding = CellEmbedding((64, 16), max_epochs=20, random_state=0)
codes = make_pipeline(embedding, StandardScaler(), LogisticRegression())
print(f"logistic regression on 16 numbers per cell: {cross_val_score(codes, X, y, cv=3).mean():.3f}")
