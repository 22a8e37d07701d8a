process GENEGCN_PREDICT {
    tag "$meta.id"
    label 'process_medium'

    conda "${moduleDir}/environment.yml"
    container "${params.genegcn_container ?: 'gene-gcn:0.1.0'}"

    input:
    tuple val(meta), path(cells)
    path model

    output:
    tuple val(meta), path("${prefix}.h5ad")        , emit: h5ad
    tuple val(meta), path("${prefix}.html")        , emit: report
    tuple val(meta), path("${prefix}_*_mqc.json")  , emit: multiqc
    tuple val(meta), path("${prefix}.summary.json"), emit: summary
    path "versions.yml"                            , emit: versions_genegcn, topic: versions

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = task.ext.args ?: ''
    prefix   = task.ext.prefix ?: "${meta.id}"
    if ("${cells}" == "${prefix}.h5ad") {
        error "Input and output have the same name; set \"task.ext.prefix\"."
    }
    """
    export OMP_NUM_THREADS=${task.cpus}
    export MPLCONFIGDIR=\$PWD NUMBA_CACHE_DIR=\$PWD

    gene-gcn predict \\
        ${cells} \\
        --model ${model} \\
        --out ${prefix}.h5ad \\
        --report ${prefix}.html \\
        ${args} \\
        --json > ${prefix}.summary.json

    cat <<-END_VERSIONS > versions.yml
    "${task.process}":
        gene-gcn: \$(gene-gcn --version | sed 's/gene-gcn //')
    END_VERSIONS
    """

    stub:
    prefix = task.ext.prefix ?: "${meta.id}"
    """
    touch ${prefix}.h5ad ${prefix}.html ${prefix}_types_mqc.json ${prefix}_stats_mqc.json
    echo '{}' > ${prefix}.summary.json

    cat <<-END_VERSIONS > versions.yml
    "${task.process}":
        gene-gcn: \$(gene-gcn --version | sed 's/gene-gcn //')
    END_VERSIONS
    """
}
