package dl4jbridge;

import org.deeplearning4j.nn.api.Layer;
import org.deeplearning4j.nn.gradient.DefaultGradient;
import org.deeplearning4j.nn.gradient.Gradient;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.nn.workspace.LayerWorkspaceMgr;
import org.deeplearning4j.optimize.Solver;
import org.deeplearning4j.optimize.solvers.BaseOptimizer;
import org.nd4j.linalg.api.ndarray.INDArray;

/** A step that is DL4J's own throughout; any layers, any updater. */
final class SolverStep extends LayerwiseStep {
    private final MultiLayerNetwork net;
    private final Solver solver;

    SolverStep(MultiLayerNetwork net, StepMonitor monitor, Solver solver) {
        super(net, monitor);
        this.net = net;
        this.solver = solver;
        // One updater for the solver and for the network, which saves it and replaces it with the learning rate.
        solver.getOptimizer().setUpdater(net.getUpdater());
    }

    @Override
    void optimize(INDArray x) {
        solver.optimize(LayerWorkspaceMgr.noWorkspaces());
    }

    @Override
    public void update(int batch) {
        LayerWorkspaceMgr workspaces = LayerWorkspaceMgr.noWorkspaces();
        solver.getOptimizer().updateGradientAccordingToParams(gradient(), net, batch, workspaces);
        INDArray parameters = net.params();
        parameters.subi(net.getFlattenedGradients().reshape(parameters.shape()));
        BaseOptimizer.incrementIterationCount(net, 1);
    }

    /** The network's gradient with its parts by name, as DL4J's updater takes it. */
    private Gradient gradient() {
        Gradient gradient = new DefaultGradient(net.getFlattenedGradients());
        for (Layer layer : net.getLayers()) {
            layer.conf().getLayer().initializer().getGradientsFromFlattened(layer.conf(), layer.getGradientsViewArray())
                    .forEach((name, view) -> gradient.setGradientFor(layer.getIndex() + "_" + name, view));
        }
        return gradient;
    }
}
