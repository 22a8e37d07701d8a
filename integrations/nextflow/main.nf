// Annotates samples by a trained model:
//
//   nextflow run main.nf --samples samples.csv --model model --outdir results
//
// samples.csv has the columns "sample" and "cells", the path of a file.

include { GENEGCN_PREDICT } from './modules/local/genegcn/predict/main'

workflow {
    cells = Channel
        .fromPath(params.samples, checkIfExists: true)
        .splitCsv(header: true)
        .map { row -> [ [ id: row.sample ], file(row.cells, checkIfExists: true) ] }

    GENEGCN_PREDICT(cells, file(params.model, checkIfExists: true))
}
