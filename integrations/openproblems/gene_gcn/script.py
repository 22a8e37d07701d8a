"""Annotate test cells by training cells, both as the task label_projection of Open Problems stores them."""

import anndata as ad
import pandas as pd

from gene_gcn import GeneGCNClassifier

## VIASH START
par = {
    "input_train": "resources_test/task_label_projection/pancreas/train.h5ad",
    "input_test": "resources_test/task_label_projection/pancreas/test.h5ad",
    "output": "output.h5ad",
    "network": "none",
}
meta = {"name": "gene_gcn"}
## VIASH END

print("Read the cells", flush=True)
train = ad.read_h5ad(par["input_train"])
test = ad.read_h5ad(par["input_test"])

print("Fit to the training cells", flush=True)
network = None if par["network"] == "none" else par["network"]
clf = GeneGCNClassifier(network, layer="counts", random_state=0)
clf.fit(train, train.obs["label"].astype(str), batch="batch")

print("Annotate the test cells", flush=True)
clf.annotate(test)
# The metrics want a type for each cell, also for those that express no gene of the model.
best = test.obsm["gene_gcn_proba"].to_numpy().argmax(axis=1)

print("Write the prediction", flush=True)
output = ad.AnnData(
    obs=pd.DataFrame({"label_pred": clf.classes_[best]}, index=test.obs_names),
    uns={
        "dataset_id": test.uns["dataset_id"],
        "normalization_id": test.uns["normalization_id"],
        "method_id": meta["name"],
    },
)
output.write_h5ad(par["output"], compression="gzip")
