// Prints the Bash script that Nextflow would run for a process: MAIN.nf script|stub VARIABLES.json
import groovy.json.JsonSlurper

def source = new File(args[0]).text
new GroovyShell().parse(source)
def block = (source =~ /(?s)\n    ${args[1]}:\n(.*?)\n(?:    stub:|\})/)[0][1]
def variables = new Binding(new JsonSlurper().parseText(args[2]))
print new GroovyShell(variables).evaluate(block).toString().stripIndent()
