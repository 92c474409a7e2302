# Prints the syntax tree of a script as one line of JSON: a list of nodes, each with its extent and what
# making.py needs of its kind. Extents are [begin, end] in characters of the file.
param([string]$Path)
$ErrorActionPreference = 'Stop'

function Get-Extent($Node) { return , @($Node.Extent.StartOffset, $Node.Extent.EndOffset) }
function Get-Extents($Nodes) { return , @($Nodes | ForEach-Object { , (Get-Extent $_) }) }
function Get-Kind($Node) { return $Node.GetType().Name -replace 'Ast$', '' }

$tokens = $null
$problems = $null
$ast = [System.Management.Automation.Language.Parser]::ParseFile($Path, [ref]$tokens, [ref]$problems)
if ($problems.Count) { throw "$Path cannot be parsed: $($problems[0].Message)" }
$unused = @('CommandExpression', 'TypeExpression', 'TypeConstraint', 'ParenExpression', 'ConvertExpression', 'ArrayExpression', 'IndexExpression', 'Parameter', 'ScriptBlock', 'CommandParameter')
$nodes = foreach ($node in $ast.FindAll({ $true }, $true)) {
    $kind = Get-Kind $node
    if ($unused -contains $kind -or ($kind -eq 'StringConstantExpression' -and $node.StringConstantType -eq 'BareWord')) { continue }
    $told = @{ kind = $kind; extent = Get-Extent $node; parent = ''; parent_extent = @(0, 0) }
    if ($node.Parent) {
        $told.parent = Get-Kind $node.Parent
        $told.parent_extent = Get-Extent $node.Parent
    }
    switch ($kind) {
        'IfStatement' {
            $told.conditions = Get-Extents @($node.Clauses | ForEach-Object { $_.Item1 })
            $told.bodies = Get-Extents @(@($node.Clauses | ForEach-Object { $_.Item2 }) + @($node.ElseClause | Where-Object { $_ }))
        }
        { $_ -in 'WhileStatement', 'ForStatement' } { $told.conditions = Get-Extents @($node.Condition) }
        'BinaryExpression' {
            $told.operator = Get-Extent @{ Extent = $node.ErrorPosition }
            $told.text = [bool]($node.Right -is [System.Management.Automation.Language.StringConstantExpressionAst] -or $node.Left -is [System.Management.Automation.Language.StringConstantExpressionAst])
        }
        'UnaryExpression' {
            $told.operation = [string]$node.TokenKind
            $told.child = Get-Extent $node.Child
        }
        'ConstantExpression' { $told.number = $node.Value }
        'StringConstantExpression' { $told.style = [string]$node.StringConstantType }
        'ExpandableStringExpression' { $told.style = [string]$node.StringConstantType }
        'VariableExpression' { $told.name = $node.VariablePath.UserPath }
        'TryStatement' {
            $told.catches = Get-Extents @($node.CatchClauses | ForEach-Object { $_.Body })
            $told.finally = Get-Extents @(@($node.Finally) | Where-Object { $_ })
        }
        'ArrayLiteral' { $told.elements = Get-Extents $node.Elements }
        'Hashtable' { $told.entries = @($node.KeyValuePairs | ForEach-Object { , @($_.Item1.Extent.StartOffset, $_.Item2.Extent.EndOffset) }) }
        'Command' {
            $told.name = [string]$node.GetCommandName()
            $told.elements = Get-Extents $node.CommandElements
            $told.kinds = @($node.CommandElements | ForEach-Object { Get-Kind $_ })
            $told.valued = @($node.CommandElements | ForEach-Object { $null -ne $_.PSObject.Properties['Argument'] -and $null -ne $_.Argument })
        }
        'Pipeline' { $told.elements = Get-Extents $node.PipelineElements }
        'InvokeMemberExpression' {
            $told.target = Get-Extent $node.Expression
            $told.name = [string]$node.Member
            $told.static = $node.Static
        }
        'MemberExpression' {
            $told.name = [string]$node.Member
            $told.static = $node.Static
            $told.target = Get-Extent $node.Expression
        }
        'AssignmentStatement' {
            $told.operator = [string]$node.Operator
            $told.left = Get-Extent $node.Left
            $told.left_kind = Get-Kind $node.Left
        }
        'FunctionDefinition' {
            $told.name = $node.Name
            $told.parameters = @($node.Parameters | ForEach-Object { @{ name = $_.Name.VariablePath.UserPath; type = [string]$_.StaticType; optional = $null -ne $_.DefaultValue } })
            $told.body = Get-Extent $node.Body
        }
        { $_ -in 'StatementBlock', 'NamedBlock' } {
            $told.statements = Get-Extents $node.Statements
            $told.kinds = @($node.Statements | ForEach-Object { Get-Kind $_ })
        }
    }
    $told
}
ConvertTo-Json -InputObject @($nodes) -Compress -Depth 6
